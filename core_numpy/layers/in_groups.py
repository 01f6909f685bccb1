"""The common part of convolutions whose channels are cut into groups: a plain convolution of each group."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.conv2d import Conv2D


class ConvolutionInGroups(Layer):
    """The linear part of a layer in which each group of channels has kernels and outputs of its own."""

    @property
    def of_one_group(self) -> Conv2D:
        """The convolution that each group goes through."""
        raise TypeError(f"{type(self).__name__} does not say how a group is convolved; it must define of_one_group")

    def groups(self, channels: int) -> int:
        """How many groups these channels are cut into."""
        raise TypeError(f"{type(self).__name__} does not say how many groups there are; it must define groups")

    @property
    def kernel_axis(self) -> int:
        """The axis along which the kernels of the groups lie side by side."""
        raise TypeError(f"{type(self).__name__} does not say where its kernels are; it must define kernel_axis")

    def parts(self, value: Array, groups: int, axis: int = -1) -> list[Array]:
        """The part of each group, of equal size, along an axis."""
        return np.split(value, groups, axis)

    def variables(self, params: Variables, groups: int) -> list[dict[str, Array]]:
        """The kernel and bias of each group."""
        own = {
            name: self.parts(value, groups, self.kernel_axis if name == "kernel" else 0)
            for name, value in params.items()
        }
        return [{name: parts[at] for name, parts in own.items()} for at in range(groups)]

    def joined(self, parts: list[dict[str, Array]]) -> dict[str, Array]:
        """The inverse of :meth:`variables`."""
        return {
            name: np.concatenate([part[name] for part in parts], axis=self.kernel_axis if name == "kernel" else 0)
            for name in parts[0]
        }

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        groups = self.groups(x.shape[-1])
        # groups times (n, h, w, c / groups) -> (n, out h, out w, filters / groups)
        results = [
            self.of_one_group.forward(own, {}, part, context)
            for own, part in zip(self.variables(params, groups), self.parts(x, groups), strict=True)
        ]
        # -> (n, out h, out w, filters)
        return np.concatenate([y for y, _ in results], axis=-1), [cache for _, cache in results]

    def backward(
        self, params: Variables, cache: list[Any], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        groups = len(cache)
        results = [
            self.of_one_group.backward(own, of_group, part, need_dx)
            for own, of_group, part in zip(self.variables(params, groups), cache, self.parts(dy, groups), strict=True)
        ]
        dx = np.concatenate([part for part, _ in results if part is not None], axis=-1) if need_dx else None
        return dx, self.joined([grads for _, grads in results])
