"""Learning rates that change with the step; names, arguments and formulas are Keras' (learning_rate_schedule)."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.code import ShownAsCode
from model_spec.validation import boolean, non_negative_integer, positive_integer, positive_real, real


@dataclass(frozen=True)
class Schedule(ShownAsCode):
    """A learning rate as a function of the number of steps already taken."""


@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    """Step decay: ``values[i]`` while step <= boundaries[i], the last value afterwards."""

    boundaries: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        boundaries = tuple(positive_integer("boundaries", step) for step in self.boundaries)
        values = tuple(positive_real("values", value) for value in self.values)
        if list(boundaries) != sorted(set(boundaries)) or len(values) != len(boundaries) + 1:
            raise ValueError(
                f"boundaries must increase and values must be one longer, got {len(boundaries)} boundaries "
                f"{boundaries} and {len(values)} values"
            )
        object.__setattr__(self, "boundaries", boundaries)
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class _DecayByRate(Schedule):
    """The options of decays by a rate for every ``decay_steps`` steps, or at their end alone (``staircase``)."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        positive_real("initial_learning_rate", self.initial_learning_rate)
        positive_integer("decay_steps", self.decay_steps)
        positive_real("decay_rate", self.decay_rate)
        boolean("staircase", self.staircase)


class ExponentialDecay(_DecayByRate):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``; the exponent is floored with ``staircase``."""


class InverseTimeDecay(_DecayByRate):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``; the share is floored with ``staircase``."""


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """``(initial - end) * (1 - step / decay_steps)**power + end``, ``end`` after ``decay_steps`` steps.

    With ``cycle`` it begins anew instead, over as many times ``decay_steps`` as are needed to reach the step.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self) -> None:
        positive_real("initial_learning_rate", self.initial_learning_rate)
        positive_integer("decay_steps", self.decay_steps)
        real("end_learning_rate", self.end_learning_rate, minimum=0)
        positive_real("power", self.power)
        boolean("cycle", self.cycle)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from ``initial_learning_rate`` down to ``alpha`` times it after ``decay_steps`` steps.

    With a ``warmup_target`` the rate first rises from ``initial_learning_rate`` to it, on a straight line over
    ``warmup_steps`` steps, and the cosine falls from there. The first rate may then be 0.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        positive_integer("decay_steps", self.decay_steps)
        real("alpha", self.alpha, minimum=0)
        non_negative_integer("warmup_steps", self.warmup_steps)
        if self.warmup_target is None:
            positive_real("initial_learning_rate", self.initial_learning_rate)
            if self.warmup_steps:
                raise ValueError(
                    f"warmup_steps={self.warmup_steps} needs a warmup_target: the rate that the warm-up rises to"
                )
        else:
            real("initial_learning_rate", self.initial_learning_rate, minimum=0)
            positive_real("warmup_target", self.warmup_target)


SCHEDULES: dict[str, type[Schedule]] = {
    schedule.__name__: schedule
    for schedule in (PiecewiseConstantDecay, ExponentialDecay, InverseTimeDecay, PolynomialDecay, CosineDecay)
}
