"""EarlyStopping as a small state machine with Keras' exact semantics; no model inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.callbacks import improves
from model_spec.checkpoints import STOPPING
from model_spec.training import EarlyStopping


@dataclass
class EarlyStoppingState:
    """Follows one figure through a training run (keras/src/callbacks/early_stopping.py).

    One rule is ours, in both backends: NaN is never an improvement.

    Attributes:
        rule: what to watch, and how patiently.
        wait: epochs since the last improvement.
        best: the best figure so far, or None.
        best_epoch: the epoch of the weights to restore, counted from 0.
        stopped_epoch: the epoch in which it stopped, or None.
    """

    rule: EarlyStopping
    wait: int = 0
    best: float | None = None
    best_epoch: int = 0
    stopped_epoch: int | None = None
    has_snapshot: bool = False

    def memory(self) -> dict[str, Any]:
        """Where it stands, for checkpoints; whether there is a snapshot shows in the snapshot."""
        return {name: getattr(self, name) for name in STOPPING}

    @property
    def held_epoch(self) -> int | None:
        """The epoch of the best figure, or of the weights to restore; None before any."""
        return self.best_epoch if self.best is not None or self.has_snapshot else None

    def _improves(self, value: float, reference: float | None) -> bool:
        return improves(value, reference, self.rule.min_delta, self.rule.larger_is_better)

    def update(self, epoch: int, value: float) -> bool:
        """Take the figure of an epoch; return True where the weights of this epoch are the ones to keep."""
        rule = self.rule
        if epoch < rule.start_from_epoch:
            return False
        # Keras takes its first snapshot before it looks at the value
        keep = rule.restore_best_weights and not self.has_snapshot
        if keep:
            self.has_snapshot, self.best_epoch = True, epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if rule.baseline is None or self._improves(value, rule.baseline):
                self.wait = 0
            return True
        if self.wait >= rule.patience and epoch > 0:
            self.stopped_epoch = epoch
        return keep
