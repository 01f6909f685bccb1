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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bridge.judge.bounds import UNIT_ROUNDOFF
from bridge.judge.comparison import Prepare, former_fault
from bridge.lockstep.controls import Controls
from bridge.lockstep.step_recorder import StepRecorder
from bridge.weights import copy_weights
from core_numpy import NumpyModel
from model_spec import ModelSpec, TrainingSpec, inputs, streams, to_dict
from model_spec.entries import function_or_none
from model_spec.validation import positive_integer
from model_spec.verdict import ShownInShort, Verdict, combine, largest, plain

Array = np.ndarray

ENVELOPE = 3.0
"""How many times the control's distance two correct trainings may be apart."""

APPEAL = 5
"""How many times more controls a float32 training gets that has left the envelope of the first ones."""

FLOOR = 64.0
"""Units of roundoff that are never held against a training: the control's own start is one unit."""


def deviation(first: Array, second: Array, learning_rate: float) -> float:
    """``max|a - b| / max(max|a|, learning_rate)``: relative, but not below what one step moves.

    A parameter whose true gradient is zero (a bias in front of BatchNormalization) stays near zero on every backend,
    so a purely relative distance would compare noise with noise. Infinite where one of them holds a NaN or infinity.
    """
    scale = max(float(np.abs(first).max(initial=0)), learning_rate)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("inf")
    return float(np.abs(np.asarray(first, np.float64) - second).max(initial=0)) / scale


@dataclass(frozen=True)
class Step:
    """Distances after one step: of the losses, and the largest one over tensors of each kind; which is worst.

    ``diverged`` names the sides, "NumPy" and "Keras", that carry a NaN or infinity after it.
    """

    loss: float
    parameters: float
    slots: float
    statistics: float
    worst: str
    diverged: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        """The largest distance: of the loss, parameters, slots and moving statistics."""
        return largest((self.loss, self.parameters, self.slots, self.statistics))


@dataclass(repr=False)
class TrainingParityReport(ShownInShort):
    """What a lock-step training found.

    Attributes:
        spec, training: the network and the run.
        dtype: precision of all models.
        resync: True where all models took over Keras' weights and state after every step, so that each step shows its
            own error only.
        steps: NumPy's distance from Keras after each step.
        control: the largest distance of a control from Keras after each step.
        controls: how many controls trained along.
        final: {tensor: distance} after the last step.
        explanation: the convention by which NumPy's optimizer takes its steps, where it is another one (float64 only).

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from bridge import compare_training
        >>> from model_spec import TrainingSpec
        >>> report = compare_training(spec, x, y, TrainingSpec(batch_size=4), steps=2)
        >>> str(report).splitlines()[0]
        'AGREE: net, 2 steps of Adam, float64, free-running, 4 controls'
    """

    spec: ModelSpec
    training: TrainingSpec
    dtype: str
    resync: bool
    controls: int = 0
    steps: list[Step] = field(default_factory=list)
    control: list[Step] = field(default_factory=list)
    final: dict[str, float] = field(default_factory=dict)
    explanation: str | None = None

    @property
    def first_outside(self) -> int | None:
        """The first step (from 1) after which the models were further apart than the envelope allows, or None."""
        floor, reach = FLOOR * UNIT_ROUNDOFF[self.dtype], 0.0
        for number, (step, control) in enumerate(zip(self.steps, self.control, strict=True), start=1):
            # What a free run has once been thrown apart stays; after a resynchronisation each step stands for itself
            reach = control.largest if self.resync else max(reach, control.largest)
            if not step.largest <= max(ENVELOPE * reach, floor):
                return number
        return None

    @property
    def passed(self) -> bool:
        """True where steps were taken, none left the envelope, and all numbers stayed finite."""
        return self.verdict == Verdict.AGREE

    @property
    def diverged_at(self) -> int | None:
        """The first step (from 1) after which a side carries a NaN or infinity, or None."""
        return next((number for number, step in enumerate(self.steps, start=1) if step.diverged), None)

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, NOTHING COMPARED, or BOTH DIVERGED: together, as far as the controls' own, to NaN."""
        if self.first_outside is not None:
            return Verdict.DIFFER
        return combine(Verdict.BOTH_DIVERGED if step.diverged else Verdict.AGREE for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings; a distance that is not finite becomes a string."""
        entry = {
            "verdict": self.verdict,
            "spec": to_dict(self.spec),
            "training": to_dict(self.training),
            "dtype": self.dtype,
            "resync": self.resync,
            "controls": self.controls,
            "first_outside": self.first_outside,
            "diverged_at": self.diverged_at,
            "steps": [vars(step) | {"largest": step.largest} for step in self.steps],
            "control": [vars(step) | {"largest": step.largest} for step in self.control],
            "final": self.final,
            "explanation": self.explanation,
        }
        found: dict[str, Any] = plain(entry)
        return found

    def __str__(self) -> str:
        mode = "resynchronised after each step" if self.resync else "free-running"
        optimizer = type(self.training.optimizer).__name__
        lines = [
            f"{self.verdict}: {self.spec.name}, {len(self.steps)} steps of {optimizer}, {self.dtype}, {mode}, "
            f"{self.controls} controls",
            f"{'step':>6}{'loss':>12}{'parameters':>12}{'slots':>12}{'statistics':>12}{'control':>12}  worst",
        ]
        for number in _shown(len(self.steps)):
            step, control = self.steps[number - 1], self.control[number - 1]
            lines.append(
                f"{number:>6}{step.loss:>12.2e}{step.parameters:>12.2e}{step.slots:>12.2e}{step.statistics:>12.2e}"
                f"{control.largest:>12.2e}  {step.worst}"
            )
        if self.first_outside is not None:
            step = self.steps[self.first_outside - 1]
            lines.append(f"first outside the envelope: step {self.first_outside}, {step.worst}, {step.largest:.3g}")
        if self.explanation is not None:
            lines.append(f"explained: the optimizer of NumPy follows another convention: {self.explanation}")
        if self.diverged_at is not None:
            sides = " and ".join(self.steps[self.diverged_at - 1].diverged)
            lines.append(
                f"not finite from step {self.diverged_at}: {sides}; take a smaller learning rate to compare more"
            )
        return "\n".join(lines)


def _shown(count: int) -> list[int]:
    """A few steps to print: 1, 2, 5, 10, ... and the last."""
    round_numbers = [base * 10**power for power in range(5) for base in (1, 2, 5)]
    return sorted({number for number in round_numbers if number <= count} | ({count} if count else set()))


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
        loss = ours.train_on_batch(x, y)
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
