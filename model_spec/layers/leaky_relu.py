"""LeakyReLU: negative values are multiplied by a fixed slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.validation import real


@dataclass(frozen=True)
class LeakyReLU(LayerSpec):
    """``x`` where x > 0, else ``negative_slope * x`` (Maas et al., 2013), as ``keras.layers.LeakyReLU``.

    Args:
        negative_slope: float of at least 0: the slope below the threshold. Default 0.3.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (3,), (LeakyReLU(0.1),))).predict([[-1.0, 0.0, 2.0]])
        array([[-0.1,  0. ,  2. ]], dtype=float32)
    """

    is_function: ClassVar[bool] = True

    negative_slope: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(negative_slope=real("negative_slope", self.negative_slope, minimum=0.0))
