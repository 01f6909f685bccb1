"""Update rules that only the courses use, for both backends: Nesterov, AdaGrad and RMSprop as the textbooks print them.

They are no options of the optimizers named after Keras'. A rule is plain data; ``use`` gives it to a model whose
training has been started, NumPy's as the lines below, Keras' as a real ``keras.optimizers.Optimizer``.
The textbooks' other conventions need no code of their own: un-inverted dropout is ``Dropout(rate)`` followed by
``Rescaling(1 - rate)``, and gamma 1, beta 0 is ``BatchNormalization(center=False, scale=False)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bridge.conventions.optimizer_forms import Update
from bridge.conventions.optimizers import adagrad_epsilon_outside, rmsprop_epsilon_outside
from core_numpy import NumpyModel
from model_spec.validation import positive_real, real

Array = np.ndarray

TINY = 1e-7
"""What the textbooks add to a root before they divide by it."""


@dataclass(frozen=True)
class CourseRule:
    """A rule with one slot for each parameter, an array of its shape that starts at 0."""

    learning_rate: float = 0.01
    epsilon: ClassVar[float] = TINY

    def __post_init__(self) -> None:
        object.__setattr__(self, "learning_rate", positive_real("learning_rate", self.learning_rate))


@dataclass(frozen=True)
class TextbookNesterov(CourseRule):
    """v = momentum v - rate g, then w += momentum**2 v - (1 + momentum) rate g.

    As first printed, with the new v: a slip, for the derivation means the old one. With the old v (as later printings
    have it) the rule is Keras' ``SGD(nesterov=True)``.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "momentum", real("momentum", self.momentum, minimum=0, below=1))


@dataclass(frozen=True)
class TextbookAdagrad(CourseRule):
    """h += g**2; w -= rate g / (sqrt(h) + 1e-7). Keras starts h at 0.1 and adds 1e-7 inside the root."""


@dataclass(frozen=True)
class TextbookRMSprop(CourseRule):
    """h = decay h + (1 - decay) g**2; w -= rate g / (sqrt(h) + 1e-7). Keras adds 1e-7 inside the root."""

    decay_rate: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "decay_rate", real("decay_rate", self.decay_rate, minimum=0, below=1))

    @property
    def rho(self) -> float:
        """The decay rate by its name in Keras."""
        return self.decay_rate


COURSE_RULES: dict[str, type[CourseRule]] = {
    rule.__name__: rule for rule in (TextbookNesterov, TextbookAdagrad, TextbookRMSprop)
}


def nesterov(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    """One step, in place."""
    momentum, v = w.dtype.type(rule.momentum), slots["momentum"]
    v *= momentum
    v -= rate * g
    w += momentum * momentum * v
    w -= (1 + momentum) * rate * g


UPDATES: dict[type[CourseRule], tuple[Update, str]] = {
    TextbookNesterov: (nesterov, "momentum"),
    TextbookAdagrad: (adagrad_epsilon_outside, "accumulator"),
    TextbookRMSprop: (rmsprop_epsilon_outside, "velocity"),
}
"""The step of each rule, and what it calls its slot."""


class NumpyCourseOptimizer:
    """A rule with its slots, in the place of ``core_numpy.optimizers.OptimizerState``."""

    def __init__(self, rule: CourseRule) -> None:
        self.rule = rule
        self.slots: dict[str, Array] = {}
        self.iterations = 0

    def step(self, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        """Change the parameters in place by one step along these gradients."""
        update, slot_name = UPDATES[type(self.rule)]
        self.iterations += 1
        for name, g in gradients.items():
            slots = {slot_name: self.slots.setdefault(name, np.zeros_like(g))}
            update(self.rule, parameters[name], g, slots, g.dtype.type(self.rule.learning_rate), self.iterations)


def keras_course_optimizer(rule: CourseRule) -> Any:
    """The rule as a fresh ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: for a rule that is none of ``COURSE_RULES``.
    """
    from keras import ops, optimizers

    def nesterov_step(w: Any, g: Any, v: Any) -> tuple[Any, Any]:
        momentum, rate = rule.momentum, rule.learning_rate  # type: ignore[attr-defined]
        new = momentum * v - rate * g
        return w + momentum * momentum * new - (1 + momentum) * rate * g, new

    def adagrad_step(w: Any, g: Any, h: Any) -> tuple[Any, Any]:
        new = h + g * g
        return w - rule.learning_rate * g / (ops.sqrt(new) + TINY), new

    def rmsprop_step(w: Any, g: Any, h: Any) -> tuple[Any, Any]:
        decay = rule.decay_rate  # type: ignore[attr-defined]
        new = decay * h + (1 - decay) * g * g
        return w - rule.learning_rate * g / (ops.sqrt(new) + TINY), new

    steps = {TextbookNesterov: nesterov_step, TextbookAdagrad: adagrad_step, TextbookRMSprop: rmsprop_step}
    if type(rule) not in steps:
        raise ValueError(f"no Keras form of {rule!r}; known are {', '.join(COURSE_RULES)}")
    step = steps[type(rule)]

    class KerasCourseOptimizer(optimizers.Optimizer):  # type: ignore[misc]
        """Keras asks ``update_step`` for one parameter at a time."""

        def build(self, variables: Any) -> None:
            if not self.built:
                super().build(variables)
                self.course_slots = self.add_optimizer_variables(variables, "slot")

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            slot = self.course_slots[self._get_variable_index(variable)]
            value, new = step(ops.convert_to_tensor(variable), gradient, ops.convert_to_tensor(slot))
            self.assign(slot, new)
            self.assign(variable, value)

    return KerasCourseOptimizer(rule.learning_rate, name=type(rule).__name__.lower())


def use(rule: CourseRule, model: Any) -> None:
    """Let a model train by this rule; call it after ``start_training`` and before the first step."""
    if isinstance(model, NumpyModel):
        model.optimizer = NumpyCourseOptimizer(rule)  # type: ignore[assignment]
        return
    from keras_models.runtime import floatx

    with floatx(model.dtype):
        optimizer = keras_course_optimizer(rule)
        optimizer.build(model.keras_model.trainable_variables)
    model.keras_model.optimizer = optimizer
