"""Records the first steps of an optimizer, so that a convention can be named by which they were taken."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.conventions.optimizers import RecordedStep, explain_steps
from core_numpy.contract import Array
from core_numpy.optimizers import OptimizerState

STEPS = 3
"""Two conventions may coincide in the first step, where all slots are zero; not in three."""


class StepRecorder:
    """Watches an optimizer: values before and after, gradients and slots of its first steps.

    Args:
        optimizer: the optimizer to watch; its ``step`` is called as before.
    """

    def __init__(self, optimizer: OptimizerState) -> None:
        self._optimizer = optimizer
        self._step = optimizer.step
        self._records: dict[str, list[RecordedStep]] = {}
        optimizer.step = self._recorded  # type: ignore[method-assign]
        self._taken = 0

    def _recorded(self, parameters: dict[str, Array], gradients: Mapping[str, Array]) -> None:
        if self._taken == STEPS:
            self._step(parameters, dict(gradients))
            return
        self._taken += 1
        rate, optimizer = self._optimizer.current_learning_rate(), self._optimizer
        before = {name: value.copy() for name, value in parameters.items()}
        slots = {name: {slot: value.copy() for slot, value in own.items()} for name, own in optimizer.slots.items()}
        given = {name: value.copy() for name, value in gradients.items()}
        self._step(parameters, dict(gradients))
        for name in given:
            record = RecordedStep(
                before[name], parameters[name].copy(), given[name], slots.get(name, {}), rate, self._taken
            )
            self._records.setdefault(name, []).append(record)

    def explanation(self) -> str | None:
        """The convention that all recorded steps follow, or None where there is none (or they follow Keras')."""
        found = {explain_steps(self._optimizer.rule, steps) for steps in self._records.values()}
        return found.pop() if len(found) == 1 else None
