"""DepthwiseConv2D from scratch: a convolution of one channel for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D
from model_spec import layers as specs


class DepthwiseConv2D(Layer):
    """The linear part of a DepthwiseConv2D layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.DepthwiseConv2D

    @property
    def of_one_channel(self) -> Conv2D:
        """The convolution that each channel goes through."""
        spec = self.spec
        return Conv2D(
            specs.Conv2D(
                spec.depth_multiplier,
                spec.kernel_size,
                spec.strides,
                spec.padding,
                spec.dilation_rate,
                use_bias=spec.use_bias,
            )
        )

    def outputs_of(self, channel: int) -> slice:
        """Where the outputs of a channel stand among all."""
        return slice(channel * self.spec.depth_multiplier, (channel + 1) * self.spec.depth_multiplier)

    def variables_of(self, params: Variables, channel: int) -> dict[str, Array]:
        """The kernel (kernel h, kernel w, 1, depth_multiplier) and bias of a channel."""
        own = {"kernel": params["kernel"][:, :, channel : channel + 1]}
        return own | {"bias": params["bias"][self.outputs_of(channel)]} if "bias" in params else own

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # c times (n, h, w, 1) -> (n, out h, out w, depth_multiplier)
        results = [
            self.of_one_channel.forward(self.variables_of(params, at), {}, x[..., at : at + 1], context)
            for at in range(x.shape[-1])
        ]
        # -> (n, out h, out w, c * depth_multiplier)
        return np.concatenate([y for y, _ in results], axis=-1), [cache for _, cache in results]

    def backward(
        self, params: Variables, cache: list[Any], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        results = [
            self.of_one_channel.backward(self.variables_of(params, at), own, dy[..., self.outputs_of(at)], need_dx)
            for at, own in enumerate(cache)
        ]
        dx = np.concatenate([part for part, _ in results if part is not None], axis=-1) if need_dx else None
        return dx, self.joined([grads for _, grads in results])

    @staticmethod
    def joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
        """What belongs to the kernel and the bias, from the parts of all channels."""
        return {
            name: np.concatenate([part[name] for part in parts], axis=2 if name == "kernel" else 0) for name in parts[0]
        }
