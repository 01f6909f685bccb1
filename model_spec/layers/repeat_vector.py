"""RepeatVector: a row becomes so many equal steps."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import positive_integer


@dataclass(frozen=True)
class RepeatVector(LayerSpec):
    """Each example ``n`` times, as ``keras.layers.RepeatVector``. Shapes: (features,) -> (n, features).

    Args:
        n: integer of at least 1: how many equal steps.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (2,), (RepeatVector(2),))).predict([[3.0, 4.0]])
        array([[[3., 4.],
                [3., 4.]]], dtype=float32)
    """

    n: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(n=positive_integer("n", self.n))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(f"a row (features,) was expected, got shape {input_shape}; add a Flatten in front")
        return (self.n, *input_shape)
