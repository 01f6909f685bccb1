"""ELU: negative values run out exponentially towards a limit of one's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_spec.layers.base import LayerSpec
from model_spec.validation import real


@dataclass(frozen=True)
class ELU(LayerSpec):
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2016), as ``keras.layers.ELU``.

    Args:
        alpha: float: the value that large negative inputs come to, negated. Default 1.0.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (3,), (ELU(alpha=0.5),))).predict([[-100.0, 0.0, 2.0]])
        array([[-0.5,  0. ,  2. ]], dtype=float32)
    """

    is_function: ClassVar[bool] = True

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(alpha=real("alpha", self.alpha))
