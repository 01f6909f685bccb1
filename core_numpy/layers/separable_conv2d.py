"""SeparableConv2D from scratch: a depthwise convolution, then one of 1x1 kernels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D, Conv2DCache
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from model_spec import layers as specs


class SeparableConv2DCache(NamedTuple):
    """What each of the two convolutions leaves for its backward."""

    depthwise: list[Any]
    pointwise: Conv2DCache


class SeparableConv2D(Layer):
    """The linear part of a SeparableConv2D layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.SeparableConv2D

    @property
    def depthwise(self) -> DepthwiseConv2D:
        """The first of the two convolutions."""
        return DepthwiseConv2D(self.spec.depthwise)

    @property
    def pointwise(self) -> Conv2D:
        """The second of the two convolutions."""
        return Conv2D(self.spec.pointwise)

    @staticmethod
    def of_depthwise(params: Variables) -> dict[str, Array]:
        """The variables of the first convolution."""
        return {"kernel": params["depthwise_kernel"]}

    @staticmethod
    def of_pointwise(params: Variables) -> dict[str, Array]:
        """The variables of the second convolution."""
        own = {"kernel": params["pointwise_kernel"]}
        return own | {"bias": params["bias"]} if "bias" in params else own

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, h, w, c) -> (n, out h, out w, c * depth_multiplier)
        between, first = self.depthwise.forward(self.of_depthwise(params), {}, x, context)
        # -> (n, out h, out w, filters)
        y, second = self.pointwise.forward(self.of_pointwise(params), {}, between, context)
        return y, SeparableConv2DCache(first, second)

    def backward(
        self, params: Variables, cache: SeparableConv2DCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        between, second = self.pointwise.backward(self.of_pointwise(params), cache.pointwise, dy)
        dx, first = self.depthwise.backward(self.of_depthwise(params), cache.depthwise, np.asarray(between), need_dx)
        return dx, self.joined(first, second)

    @staticmethod
    def joined(depthwise: Variables, pointwise: Variables) -> dict[str, Array]:
        """What belongs to all variables, from what belongs to those of each convolution."""
        found = {"depthwise_kernel": depthwise["kernel"], "pointwise_kernel": pointwise["kernel"]}
        return found | {"bias": pointwise["bias"]} if "bias" in pointwise else found
