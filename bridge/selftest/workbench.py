"""The other side of every selftest: one Keras model a probe and precision, which answers each question once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bridge.selftest.faults.probes import PROBES, Probe
from bridge.weights import random_weights
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import Gradients, ModelSpec

SEED = 0
"""Of the random variables, the cotangents and the dropout masks of all probes."""


@dataclass
class Remembered:
    """A model that gives its first answer again: a probe's questions never change.

    Attributes:
        model: the model that is asked.
        weights: its variables, or copies of others.
    """

    model: Any
    answers: dict[tuple[str, bool], Any] = field(default_factory=dict)

    @property
    def spec(self) -> ModelSpec:
        return self.model.spec

    @property
    def weights(self) -> dict[str, Array]:
        return self.model.weights

    @property
    def dtype(self) -> str:
        return self.model.dtype

    @property
    def dropout_seed(self) -> int:
        return self.model.dropout_seed

    def activations(self, x: Array, training: bool = False, **options: Any) -> dict[str, Array]:
        """What the model gave the first time."""
        return self._answer("activations", training, x, training=training, **options)

    def loss_and_gradients(self, x: Array, y: Array, training: bool = False, **options: Any) -> Gradients:
        """What the model gave the first time."""
        return self._answer("loss_and_gradients", training, x, y, training=training, **options)

    def pullback(self, x: Array, cotangent: Array, training: bool = False) -> Gradients:
        """What the model gave the first time."""
        return self._answer("pullback", training, x, cotangent, training=training)

    def _answer(self, method: str, mode: bool, /, *arguments: Any, **options: Any) -> Any:
        key = (method, mode)
        if key not in self.answers:
            self.answers[key] = getattr(self.model, method)(*arguments, **options)
        return self.answers[key]


@dataclass(frozen=True)
class WithoutWeights:
    """A model that does not show its weights, so that results are compared whatever they are."""

    model: Any

    @property
    def dropout_seed(self) -> int:
        return self.model.dropout_seed

    def activations(self, *arguments: Any, **options: Any) -> dict[str, Array]:
        """The model's."""
        return self.model.activations(*arguments, **options)

    def loss_and_gradients(self, *arguments: Any, **options: Any) -> Gradients:
        """The model's."""
        return self.model.loss_and_gradients(*arguments, **options)

    def pullback(self, *arguments: Any, **options: Any) -> Gradients:
        """The model's."""
        return self.model.pullback(*arguments, **options)


@dataclass
class Workbench:
    """Probes with their Keras models, built when first asked for; pure but for what it remembers."""

    remembered: dict[tuple[str, str], Remembered] = field(default_factory=dict)

    def keras(self, probe: str, dtype: str) -> Remembered:
        """The Keras model of a probe, with random variables."""
        if (probe, dtype) not in self.remembered:
            self.remembered[probe, dtype] = Remembered(fresh_keras(PROBES[probe], dtype))
        return self.remembered[probe, dtype]


def fresh_keras(probe: Probe, dtype: str) -> Any:
    """A Keras model of the probe with random variables."""
    from keras_models import KerasModel

    model = KerasModel(probe.spec, seed=SEED + 2, dtype=dtype, dropout_seed=SEED)
    model.set_weights(random_weights(probe.spec, SEED))
    return model


def fresh_numpy(probe: Probe, dtype: str) -> NumpyModel:
    """A NumPy model of the probe with the same random variables."""
    model = NumpyModel(probe.spec, seed=SEED + 1, dtype=dtype, dropout_seed=SEED)
    model.set_weights(random_weights(probe.spec, SEED))
    return model
