"""PReLU: negative values are multiplied by learned slopes."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec import initializers, regularizers
from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import positive_integer


@dataclass(frozen=True)
class PReLU(LayerSpec):
    """``max(x, 0) + alpha * min(x, 0)`` (He et al., 2015), as ``keras.layers.PReLU``.

    ``alpha`` has the shape of the input, but 1 along ``shared_axes``, which count from 1 (0 is the batch).

    Args:
        alpha_initializer: name or object of ``model_spec.initializers`` for alpha. Default "zeros".
        alpha_regularizer: name or object of ``model_spec.regularizers`` for alpha; None for none (default).
        shared_axes: tuple of integers, counted from 1: axes along which one alpha is learned; None (default) for an
            alpha each.

    Examples:
        >>> PReLU(shared_axes=(1, 2)).parameter_shapes((7, 7, 16))
        {'alpha': (1, 1, 16)}
    """

    alpha_initializer: Any = "zeros"
    alpha_regularizer: Any = None
    shared_axes: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        shared = () if self.shared_axes is None else self.shared_axes
        shared = (shared,) if isinstance(shared, numbers.Integral) else shared
        if not isinstance(shared, (tuple, list)):
            raise ValueError(f"shared_axes must be None, an axis or a tuple of axes, got {self.shared_axes!r}")
        axes = {positive_integer(f"shared_axes[{at}]", axis) for at, axis in enumerate(shared)}
        self._set(
            alpha_initializer=initializers.get(self.alpha_initializer),
            alpha_regularizer=regularizers.get(self.alpha_regularizer),
            shared_axes=tuple(sorted(axes)) or None,
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        if max(self.shared_axes or (1,)) > len(input_shape):
            raise ValueError(f"shared_axes {self.shared_axes} must lie in 1..{len(input_shape)}, the axes of its input")
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shared = self.shared_axes or ()
        return {"alpha": tuple(1 if axis in shared else size for axis, size in enumerate(input_shape, start=1))}
