"""Activation: one function applied to every value (softmax: to every row of the last axis)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_spec.activations import ACTIVATIONS
from model_spec.layers.base import LayerSpec
from model_spec.validation import one_of


@dataclass(frozen=True)
class Activation(LayerSpec):
    """A named activation function as a layer of its own, as ``keras.layers.Activation``.

    Args:
        activation: name of the activation; docs/reference.md lists them with their formulas.

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import ModelSpec
        >>> NumpyModel(ModelSpec("net", (3,), (Activation("relu"),))).predict([[-1.0, 0.0, 2.0]])
        array([[0., 0., 2.]], dtype=float32)
    """

    is_function: ClassVar[bool] = True

    activation: str

    def __post_init__(self) -> None:
        super().__post_init__()
        name = "linear" if self.activation is None else self.activation
        self._set(activation=one_of("activation", name, ACTIVATIONS))
