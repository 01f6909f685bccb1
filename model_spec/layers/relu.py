"""ReLU: values at or below a threshold are damped, large ones cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.validation import real


@dataclass(frozen=True)
class ReLU(LayerSpec):
    """``min(x, max_value)`` where x > threshold, else ``negative_slope * (x - threshold)``.

    As ``keras.layers.ReLU``, which knows no negative values of the three.

    Args:
        max_value: float: the largest output; None (default) for no limit.
        negative_slope: float of at least 0: the slope below the threshold. Default 0.0.
        threshold: float: inputs at most this large take the negative slope. Default 0.0.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (3,), (ReLU(max_value=6),))).predict([[-1.0, 2.0, 9.0]])
        array([[0., 2., 6.]], dtype=float32)
    """

    is_function: ClassVar[bool] = True

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            max_value=None if self.max_value is None else real("max_value", self.max_value, minimum=0.0),
            negative_slope=real("negative_slope", self.negative_slope, minimum=0.0),
            threshold=real("threshold", self.threshold, minimum=0.0),
        )
