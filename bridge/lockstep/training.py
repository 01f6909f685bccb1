"""Lock-step training: both models take the same steps, and everything they carry is compared after each of them.

Two correct trainings drift apart, because each step's rounding is fed back. How far is normal is measured, not
guessed: controls (``lockstep.controls``), Keras trained again from neighbouring weights and with its rows in another
order, are the yardstick by their largest distance from Keras.

In float32 one relu that switches, or one pooling that picks another cell, throws a training a thousand times further
than all rounding before it, at a step that is a matter of chance. So a training that leaves the envelope of a few
controls is tried again beside several times as many: were it a control itself, it would be the first to jump once in
``APPEAL * controls + 1`` cases.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.judge.backends import Prepare, former_fault
from bridge.lockstep.controls import Controls
from bridge.lockstep.report import Step, StepError, TrainingParityReport
from bridge.lockstep.step_recorder import StepRecorder
from bridge.weights import copy_weights
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import ModelSpec, TrainingSpec, inputs, streams
from model_spec.entries import function_or_none
from model_spec.validation import positive_integer
from model_spec.verdict import largest

APPEAL = 5
"""How many times more controls a float32 training gets that has left the envelope of the first ones."""


def deviation(first: Array, second: Array, learning_rate: float) -> float:
    """``max|a - b| / max(max|a|, learning_rate)``: relative, but not below what one step moves.

    A parameter whose true gradient is zero (a bias in front of BatchNormalization) stays near zero on every backend,
    so a purely relative distance would compare noise with noise. Infinite where one of them holds a NaN or infinity.
    """
    scale = max(float(np.abs(first).max(initial=0)), learning_rate)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("inf")
    difference = float(np.abs(np.asarray(first, np.float64) - second).max(initial=0))
    if scale == 0:
        # Parameters of zero where a schedule begins at zero: equal, or infinitely far apart
        return math.inf if difference else 0.0
    return difference / scale


def compare_training(
    spec: ModelSpec,
    x: Any,
    y: Any,
    training: TrainingSpec,
    steps: int,
    seed: int = 0,
    dtype: str = "float64",
    resync: bool = False,
    controls: int = 4,
    prepare: Prepare | None = None,
    fault: Any = None,
    model: Any = None,
) -> TrainingParityReport:
    """Train NumPy and Keras side by side, dropout on, and compare all they carry after every step.

    Args:
        spec: the network.
        x: inputs (examples, *input shape).
        y: targets in the form the loss needs.
        training: optimizer, loss, batch size and order; its epochs are ignored.
        steps: how many steps to take.
        seed: of initial weights and dropout masks, the same on both sides; Keras' weights are copied to NumPy.
        dtype: "float32" or "float64".
        resync: copy Keras' weights and state to NumPy and the controls after every step.
        controls: how many controls train along, at least 1.
        prepare: called with the NumPy model once its training has started, to change it; see ``bridge.compare``.
        fault: deprecated; see ``prepare``.
        model: takes NumPy's place: a fresh ``bridge.external_training(...)``, or anything that has ``spec``, ``dtype``,
            ``weights``, ``set_weights``, ``start_training(training)`` and ``train_on_batch(x, y)``. Its weights, moving
            statistics and loss are compared; what its optimizer keeps is its own.

    Raises:
        ValueError: a model of another specification or precision, or one whose state cannot be resynchronised.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from model_spec import TrainingSpec
        >>> report = compare_training(spec, x, y, TrainingSpec(optimizer="sgd", batch_size=4), steps=3)
        >>> report.passed
        True
    """
    from keras_models.runtime import without_tracing_warnings

    prepare = former_fault(prepare, fault)
    function_or_none("prepare", prepare, "a NumPy model")
    positive_integer("controls", controls)
    if model is not None and (model.spec != spec or str(model.dtype) != dtype):
        raise ValueError(f"model is {model.spec.name!r} in {model.dtype}, expected {spec.name!r} in {dtype}")
    if model is not None and resync:
        raise ValueError("resync needs the state of both optimizers, and a foreign one keeps its own; leave it out")
    x = inputs.check_inputs(x, spec, dtype)
    batches = list(itertools.islice(_batches(training, len(x)), steps))
    data = [(x[rows], np.asarray(y)[rows]) for rows in batches]

    def train(controls: int) -> TrainingParityReport:
        report = TrainingParityReport(spec, training, dtype, resync, controls)
        with without_tracing_warnings():
            _train_in_lock_step(report, data, seed, prepare, model)
        return report

    report = train(controls)
    if report.first_outside is not None and dtype == "float32" and model is None:
        report = train(APPEAL * controls)
    return report


def _train_in_lock_step(
    report: TrainingParityReport, data: Sequence[tuple[Array, Array]], seed: int, prepare: Prepare | None, model: Any
) -> None:
    """Train NumPy, Keras and the controls on these batches, and write what is found into the report."""
    from keras_models import KerasModel

    spec, training, dtype = report.spec, report.training, report.dtype
    theirs = KerasModel(spec, seed, dtype)
    ours: Any = NumpyModel(spec, seed, dtype) if model is None else model
    if hasattr(ours, "take_dropout_seed"):
        ours.take_dropout_seed(seed)
    copy_weights(theirs, ours)
    controls = Controls(spec, seed, dtype, report.controls)
    controls.start_training(training, theirs.weights)
    for side in (theirs, ours):
        side.start_training(training)
    if prepare is not None:
        prepare(ours)
    optimizer = getattr(ours, "optimizer", None)
    recorder = StepRecorder(optimizer) if optimizer is not None and dtype == "float64" and model is None else None
    _take_steps(report, data, ours, theirs, controls)
    if recorder is not None and report.first_outside is not None:
        report.explanation = recorder.explanation()


def _take_steps(
    report: TrainingParityReport,
    data: Sequence[tuple[Array, Array]],
    ours: Any,
    theirs: Any,
    controls: Controls,
) -> None:
    """Let all take the same steps, and note every distance."""
    spec, training = report.spec, report.training
    rate = _learning_rate(training)
    for x, y in data:
        expected = theirs.train_on_batch(x, y)
        right = theirs.weights | theirs.training_state()
        try:
            loss = ours.train_on_batch(x, y)
        except StepError as error:
            report.error = f"step {len(report.steps) + 1}: {error}"
            return
        knows_state = hasattr(ours, "training_state")
        carried = ours.weights | (ours.training_state() if knows_state else {})
        report.final = _distances(carried, right if knows_state else {name: right[name] for name in carried}, rate)
        sides = {"NumPy": (loss, carried), "Keras": (expected, right)}
        diverged = tuple(side for side, values in sides.items() if not _is_finite(*values))
        report.steps.append(replace(_summary(report.final, loss, expected, spec), diverged=diverged))
        summaries = [
            _summary(_distances(carried, right, rate), loss, expected, spec)
            for loss, carried in controls.train_on_batch(x, y)
        ]
        report.control.append(max(summaries, key=lambda step: step.largest))
        if len(diverged) == 2 or (report.resync and diverged):
            return  # there is nothing more to see, and no side that the other could take over
        if report.resync:
            copy_weights(theirs, ours)
            ours.set_training_state(theirs.training_state())
            controls.take_over(theirs.weights, theirs.training_state())


def _is_finite(loss: float, carried: dict[str, Array]) -> bool:
    return bool(np.isfinite(loss)) and all(bool(np.isfinite(value).all()) for value in carried.values())


def _batches(training: TrainingSpec, examples: int) -> Iterator[Array]:
    """Rows of the run's batches, epoch after epoch."""
    for epoch in itertools.count():
        yield from streams.batch_indices(training.replace(steps=None), examples, epoch)


def _learning_rate(training: TrainingSpec) -> float:
    from core_numpy.schedules import learning_rate_at
    from model_spec import optimizers

    return learning_rate_at(optimizers.get(training.optimizer).learning_rate, 0)


def _distances(first: dict[str, Array], second: dict[str, Array], rate: float) -> dict[str, float]:
    """Distance of every tensor both sides carry; counters and the learning rate must simply be equal."""
    if set(first) != set(second):
        raise ValueError(f"the two sides carry different state: {sorted(set(first) ^ set(second))}")
    distances = {}
    for name, value in first.items():
        if name.endswith(("/iterations", "/dropout_call")):
            distances[name] = 0.0 if int(value) == int(second[name]) else float("inf")
        elif not name.endswith("/learning_rate"):
            distances[name] = deviation(value, second[name], rate)
    return distances


def _summary(distances: dict[str, float], first_loss: float, second_loss: float, spec: ModelSpec) -> Step:
    parameters = {name: value for name, value in distances.items() if name in spec.parameter_shapes}
    statistics = {
        name: value for name, value in distances.items() if name in spec.variable_shapes and name not in parameters
    }
    slots = {name: value for name, value in distances.items() if name not in spec.variable_shapes}
    loss = largest([abs(first_loss - second_loss) / max(abs(second_loss), 1.0)])
    everything = {**distances, "loss": loss}
    return Step(
        loss=loss,
        parameters=largest(parameters.values()),
        slots=largest(slots.values()),
        statistics=largest(statistics.values()),
        worst=max(everything, key=lambda name: everything[name]),
    )
