"""Learning rates that change with the step; names, arguments and formulas are Keras' (learning_rate_schedule)."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.validation import boolean, positive_integer, positive_real, real


@dataclass(frozen=True)
class Schedule:
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
class ExponentialDecay(Schedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``; the exponent is floored with ``staircase``."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        positive_real("initial_learning_rate", self.initial_learning_rate)
        positive_integer("decay_steps", self.decay_steps)
        positive_real("decay_rate", self.decay_rate)
        boolean("staircase", self.staircase)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from ``initial_learning_rate`` down to ``alpha`` times it after ``decay_steps`` steps."""

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0

    def __post_init__(self) -> None:
        positive_real("initial_learning_rate", self.initial_learning_rate)
        positive_integer("decay_steps", self.decay_steps)
        real("alpha", self.alpha, minimum=0)


SCHEDULES: dict[str, type[Schedule]] = {
    schedule.__name__: schedule for schedule in (PiecewiseConstantDecay, ExponentialDecay, CosineDecay)
}
