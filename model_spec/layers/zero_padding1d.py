"""ZeroPadding1D: zeros before and after a sequence."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from model_spec.layers.over_steps import OverSteps
from model_spec.layers.reshaping import ZeroPadding2D
from model_spec.names import shown
from model_spec.validation import non_negative_integer


@dataclass(frozen=True)
class ZeroPadding1D(OverSteps):
    """Steps of zeros, as ``keras.layers.ZeroPadding1D``; ``padding`` is one integer or (before, after).

    Args:
        padding: integer, or (front, back): steps of zeros. Default 1.

    Examples:
        >>> ZeroPadding1D((2, 0)).output_shape((128, 9))
        (130, 9)
    """

    padding: Any = (1, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        value = self.padding
        pair = (value, value) if isinstance(value, numbers.Integral) else value
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"padding must be an integer or a pair (before, after), got {shown(value)}")
        self._set(padding=tuple(non_negative_integer(f"padding[{at}]", steps) for at, steps in enumerate(pair)))

    @property
    def on_images(self) -> ZeroPadding2D:
        return ZeroPadding2D(((0, 0), self.padding))
