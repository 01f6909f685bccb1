"""What a lock-step training found: the distances after every step, and whether they stayed within the envelope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bridge.judge.bounds import UNIT_ROUNDOFF
from model_spec import ModelSpec, TrainingSpec, to_dict
from model_spec.verdict import ShownInShort, Verdict, combine, largest, plain

ENVELOPE = 3.0
"""How many times the control's distance two correct trainings may be apart."""


FLOOR = 64.0
"""Units of roundoff that are never held against a training: the control's own start is one unit."""


class StepError(ValueError):
    """A foreign optimizer took no step; the message says what it raised."""


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
        error: what a foreign optimizer raised, and in which step, or "".

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
    error: str = ""

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
        if self.error or self.first_outside is not None:
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
            "error": self.error,
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
        if self.error:
            lines.append(self.error)
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
