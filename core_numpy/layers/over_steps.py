"""All layers over steps from scratch: the layer over images, on images of one row."""

from __future__ import annotations

from typing import Any

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers import build_layer
from model_spec.layers.over_steps import OverSteps as Spec


class OverSteps(Layer):
    """Conv1D (its linear part), ZeroPadding1D and the poolings over steps."""

    spec: Spec

    @property
    def on_images(self) -> Layer:
        """The layer over images that computes the same."""
        return build_layer(self.spec.on_images)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        # (n, steps, c) -> (n, 1, steps, c) -> (n, 1, new steps, c), or (n, c) of a global pooling
        y, cache = self.on_images.forward(with_row(params), {}, x[:, None], context)
        return without_row(y), cache

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # (n, new steps, c) -> (n, 1, new steps, c) -> (n, 1, steps, c)
        dx, grads = self.on_images.backward(with_row(params), cache, rows_of(dy), need_dx)
        return None if dx is None else without_row(dx), of_steps(grads)


def rows_of(y: Array) -> Array:
    """Values (n, steps, c) as images of one row; what a global pooling has made of them, (n, c), as it is."""
    return y[:, None] if y.ndim == 3 else y


def without_row(y: Array) -> Array:
    """The inverse of :func:`rows_of`."""
    return y[:, 0] if y.ndim == 4 else y


def with_row(variables: Variables) -> dict[str, Array]:
    """The variables over images: a kernel (size, c, filters) as (1, size, c, filters)."""
    return {name: value[None] if name == "kernel" else value for name, value in variables.items()}


def of_steps(variables: Variables) -> dict[str, Array]:
    """The inverse of :func:`with_row`."""
    return {name: value[0] if name == "kernel" else value for name, value in variables.items()}
