"""Slips in parts written elsewhere, as a table: the check that must catch each, and the tensor it must name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.lockstep.report import TrainingParityReport
from bridge.lockstep.training import compare_training
from bridge.outside.external_training import external_training
from bridge.outside.layer_check import check_layer
from bridge.outside.layer_report import LayerReport
from bridge.outside.loss_check import check_loss
from bridge.outside.optimizer_check import OptimizerReport, check_optimizer
from bridge.selftest import elsewhere_parts as parts
from core_numpy import NumpyModel
from model_spec import SGD, Activation, Adam, BatchNormalization, Dense, Dropout, MaxPooling2D, ModelSpec, TrainingSpec

Report = LayerReport | OptimizerReport | TrainingParityReport


@dataclass(frozen=True)
class PartElsewhere:
    """A part of a network, right and with a slip.

    Attributes:
        name: of the slip.
        check: the check that must catch it.
        blames: the tensor that must be named first; inputs of which it fails alone come behind " on ".
        wrong: the class with the slip, which its docstring says; it derives from the right one.
    """

    name: str
    check: Callable[[Any], Report]
    blames: str
    wrong: type

    @property
    def right(self) -> type:
        """The class without the slip."""
        return self.wrong.__mro__[1]

    @property
    def description(self) -> str:
        """The slip in a sentence."""
        return str(self.wrong.__doc__)


def _as_dense(part: Any) -> Report:
    return check_layer(part, Dense(3), (5,))


def _as_softmax(part: Any) -> Report:
    return check_layer(part, Activation("softmax"), (6,))


def _as_leaky_relu(part: Any) -> Report:
    return check_layer(part, Activation("leaky_relu"), (6,))


def _as_pooling(part: Any) -> Report:
    return check_layer(part, MaxPooling2D(3, 2), (7, 7, 2))


def _as_batch_normalization(part: Any) -> Report:
    return check_layer(part, BatchNormalization(0.9), (3,), batch=8, training=True)


def _as_dropout(part: Any) -> Report:
    return check_layer(part, Dropout(0.25), (40,), batch=8, training=True)


def _as_cross_entropy(part: Any) -> Report:
    return check_loss(part, "categorical_crossentropy", from_logits=True)


def _as_adam(part: Any) -> Report:
    return check_optimizer(part, Adam(0.01))


def _as_training(part: Any) -> Report:
    spec = ModelSpec("line", (4,), (Dense(2, activation="linear"),))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(12, 4)), random.normal(size=(12, 2))
    training = TrainingSpec(optimizer=SGD(0.1, momentum=0.9), loss="mse", batch_size=6)
    model = external_training(NumpyModel(spec, dtype="float64"), part)
    return compare_training(spec, x, y, training, 4, dtype="float64", controls=1, model=model)


PARTS = {
    part.name: part
    for part in (
        PartElsewhere("outside-missing-bias", _as_dense, "y", parts.WithoutBias),
        PartElsewhere("outside-bias-gradient-mean", _as_dense, "gradient of bias", parts.MeanOfBias),
        PartElsewhere("outside-input-gradient-sign", _as_dense, "gradient of x", parts.SignOfInput),
        PartElsewhere("outside-softmax-overflows", _as_softmax, "y on values up to 1000", parts.OverflowingSoftmax),
        PartElsewhere(
            "outside-both-slopes-at-zero",
            _as_leaky_relu,
            "gradient of x at a kink or tie on zeros among the inputs",
            parts.BothSlopesAtZero,
        ),
        PartElsewhere(
            "outside-pooling-to-all-maxima",
            _as_pooling,
            "channel sums of gradient of x on all-zero images",
            parts.ToAllMaxima,
        ),
        PartElsewhere("outside-momentum-of-the-new", _as_batch_normalization, "moving_mean", parts.MomentumOfTheNew),
        PartElsewhere("outside-dropout-keeps-too-few", _as_dropout, "dropout mask", parts.RateKept),
        PartElsewhere("outside-loss-summed", _as_cross_entropy, "loss", parts.SummedLoss),
        PartElsewhere("outside-loss-gradient-summed", _as_cross_entropy, "gradient", parts.SummedGradient),
        PartElsewhere("outside-loss-overflows", _as_cross_entropy, "loss on logits of +-1000", parts.OverflowingLoss),
        PartElsewhere("outside-adam-uncorrected", _as_adam, "w", parts.WithoutCorrection),
        PartElsewhere("outside-momentum-forgotten", _as_training, "dense/bias", parts.ForgettingMomentum),
    )
}
"""All slips by name."""
