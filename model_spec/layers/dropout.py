"""Dropout: in training, every value is dropped with a given probability and the others are scaled up."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.layers.base import LayerSpec
from model_spec.validation import real


@dataclass(frozen=True)
class Dropout(LayerSpec):
    """Inverted dropout (Srivastava et al., 2014), as ``keras.layers.Dropout``.

    ``rate`` is the share that is DROPPED (not kept); kept values are multiplied by 1 / (1 - rate).
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(rate=real("rate", self.rate, minimum=0, below=1))
