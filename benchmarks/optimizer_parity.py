"""Every optimizer with its options: the same training on both backends, weights and state compared at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.tables import Table
from bridge.lockstep.training import compare_training, deviation
from bridge.progress import Show, silent
from core_numpy import NumpyModel
from model_spec import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    ModelSpec,
    Nadam,
    RMSprop,
    TrainingSpec,
    schedules,
)
from model_spec.optimizers import Optimizer
from model_spec.verdict import Verdict, combine, plain

Array = np.ndarray

LIMIT = 1e-9
"""Largest distance allowed in float64, as :func:`bridge.lockstep.training.deviation` measures it."""

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.05),
    "sgd momentum": SGD(0.05, momentum=0.9),
    "sgd nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "sgd weight_decay": SGD(0.05, weight_decay=0.01),
    "sgd clipnorm": SGD(0.05, clipnorm=0.1),
    "sgd clipvalue": SGD(0.05, clipvalue=0.02),
    "sgd global_clipnorm": SGD(0.05, global_clipnorm=0.1),
    "adagrad": Adagrad(0.01),
    "adagrad start 0": Adagrad(0.01, initial_accumulator_value=0.0),
    "rmsprop": RMSprop(),
    "rmsprop momentum": RMSprop(momentum=0.9),
    "rmsprop centered": RMSprop(centered=True),
    "rmsprop centered momentum": RMSprop(rho=0.8, momentum=0.5, centered=True),
    "adadelta": Adadelta(0.5),
    "adadelta rho": Adadelta(0.5, rho=0.8),
    "adam": Adam(),
    "adam amsgrad": Adam(amsgrad=True),
    "adam betas": Adam(0.002, beta_1=0.8, beta_2=0.99, epsilon=1e-5),
    "adam clipnorm": Adam(clipnorm=0.05),
    "adamw": AdamW(),
    "adamw weight_decay": AdamW(weight_decay=0.05),
    "adamax": Adamax(),
    "nadam": Nadam(),
    "adam step decay": Adam(schedules.PiecewiseConstantDecay((10, 30), (0.002, 0.001, 0.0005))),
    "adam exponential": Adam(schedules.ExponentialDecay(0.002, 7, 0.9)),
    "adam staircase": Adam(schedules.ExponentialDecay(0.002, 7, 0.9, staircase=True)),
    "sgd inverse time": SGD(schedules.InverseTimeDecay(0.05, 7, 0.5)),
    "sgd polynomial": SGD(schedules.PolynomialDecay(0.05, 13, 0.001, 2.0)),
    "sgd polynomial cycle": SGD(schedules.PolynomialDecay(0.05, 13, 0.001, cycle=True)),
    "sgd warm-up": SGD(schedules.CosineDecay(0.0, 40, 0.1, 0.05, 9)),
    "sgd cosine": SGD(schedules.CosineDecay(0.05, 40, alpha=0.1), momentum=0.9),
}


@dataclass(frozen=True)
class OptimizerParity:
    """One optimizer on one network.

    Attributes:
        float64: largest distance over weights, slots and moving statistics after both backends' own fit.
        worst: the tensor it belongs to.
        float32: the same after lock-step training in float32.
        control: how far one control (``bridge.lockstep.controls``) is from Keras after the same steps.
        diverged: the sides that carry a NaN or infinity after the run in float64.
    """

    spec: str
    optimizer: str
    steps: int
    float64: float
    worst: str
    float32: float
    control: float
    diverged: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True where the float64 distance keeps its limit."""
        return self.verdict == Verdict.AGREE

    @property
    def verdict(self) -> Verdict:
        """AGREE where the float64 distance keeps its limit; BOTH DIVERGED where both sides left the finite numbers."""
        if self.diverged:
            return Verdict.BOTH_DIVERGED if len(self.diverged) == 2 else Verdict.DIFFER
        return Verdict.AGREE if self.float64 <= LIMIT else Verdict.DIFFER

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers and strings."""
        entry: dict[str, Any] = plain(asdict(self) | {"verdict": self.verdict, "agrees": self.agrees})
        return entry


def fit_both(
    spec: ModelSpec, x: Array, y: Array, training: TrainingSpec, seed: int = 0
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Train both backends with their own ``fit`` in float64; return every carried tensor's distance, and who diverged.

    One seed gives both the same weights; the weights are copied all the same, for initializers that are not uniform.
    """
    from keras_models import KerasModel

    theirs, ours = KerasModel(spec, seed, "float64"), NumpyModel(spec, seed, "float64")
    ours.set_weights(theirs.weights)
    carried = []
    for model in (ours, theirs):
        model.fit(x, y, training, verbose=0)
        carried.append(model.weights | model.training_state())
    first, second = carried
    if set(first) != set(second):
        raise ValueError(f"the two sides carry different state: {sorted(set(first) ^ set(second))}")
    rate = ours.optimizer.current_learning_rate() if ours.optimizer else 0.0
    distances = {
        name: deviation(first[name], second[name], rate) for name in first if not name.endswith("/learning_rate")
    }
    sides = {"NumPy": first, "Keras": second}
    diverged = (side for side, carried in sides.items() if not all(np.isfinite(one).all() for one in carried.values()))
    return distances, tuple(diverged)


def check(spec: ModelSpec, x: Array, y: Array, steps: int, seed: int = 0, show: Show = silent) -> list[OptimizerParity]:
    """Run every optimizer of the table on one network: float64 by both backends' fit, float32 in lock-step."""
    rows = []
    for number, (name, optimizer) in enumerate(OPTIMIZERS.items()):
        show(f"{spec.name}: {name}", number, len(OPTIMIZERS))
        training = TrainingSpec(optimizer=optimizer, batch_size=32, steps=steps, seed=seed)
        distances, diverged = fit_both(spec, x.astype(np.float64), y, training, seed)
        worst = max(distances, key=lambda tensor: distances[tensor])
        lockstep = compare_training(spec, x, y, training, steps, seed, "float32", controls=1)
        last, control = lockstep.steps[-1].largest, lockstep.control[-1].largest
        rows.append(OptimizerParity(spec.name, name, steps, distances[worst], worst, last, control, diverged))
    return rows


def parts(rows: Sequence[OptimizerParity]) -> list[str | Table]:
    """The verdict, then a table of all rows."""
    worst = max(rows, key=lambda row: row.float64)
    verdict = (
        f"{combine(row.verdict for row in rows)}: {len(rows)} trainings; float64 largest distance {worst.float64:.2e} "
        f"({worst.spec}, {worst.optimizer}, {worst.worst}), limit {LIMIT:g}"
    )
    table = Table(["network", "optimizer", "float64", "float32", "control", "worst in float64"])
    for row in rows:
        figures = [f"{value:.1e}" for value in (row.float64, row.float32, row.control)]
        table.rows.append([row.spec, row.optimizer, *figures, row.worst])
    return [verdict, table]
