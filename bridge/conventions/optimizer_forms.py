"""Steps of optimizers with a slip in their formula, each with its sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec import optimizers as rules

Update = Callable[[Any, Array, Array, dict[str, Array], Any, int], None]
"""(constants, w, g, slots, rate, step number): writes w and the slots in place."""


def _adam(
    power: bool = True,
    corrected: tuple[bool, bool] = (True, True),
    rest: tuple[bool, bool] = (True, True),
    square: Callable[[Array], Array] = np.square,
    stored: tuple[bool, bool] = (False, False),
    root: bool = True,
    epsilon: str = "keras",
    nesterov: bool = False,
    swapped: bool = False,
    largest: bool = False,
) -> Update:
    """Adam with parts of its formula changed; ``epsilon`` is "keras", "after" the correction, or "inside" the root."""

    def update(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
        b1, b2 = (rule.beta_2, rule.beta_1) if swapped else (rule.beta_1, rule.beta_2)
        m, v = slots["momentum"], slots["velocity"]
        m[...] = b1 * m + (1 - b1 if rest[0] else 1.0) * g
        v[...] = b2 * v + (1 - b2 if rest[1] else 1.0) * square(g)
        first = 1 - b1 ** (t if power else 1) if corrected[0] else 1.0
        second = 1 - b2 ** (t if power else 1) if corrected[1] else 1.0
        if rule.amsgrad:
            v = np.maximum(slots["velocity_hat"], v, out=slots["velocity_hat"])
        m_hat, v_hat = m / first, v / second
        if stored[0]:
            m[...] = m_hat
        if stored[1]:
            v[...] = v_hat
        if nesterov:
            m_hat = b1 * m_hat + (1 - b1) * g / first
        if largest:
            top = slots.setdefault("largest", np.zeros_like(v))
            np.maximum(top, v_hat, out=top)
            v_hat = top
        if not root:
            w -= rate * m_hat / (v_hat + rule.epsilon)
        elif epsilon == "inside":
            w -= rate * m_hat / np.sqrt(v_hat + rule.epsilon)
        elif epsilon == "after":
            w -= rate * m_hat / (np.sqrt(v_hat) + rule.epsilon)
        else:
            w -= rate * m_hat * np.sqrt(second) / (np.sqrt(v_hat * second) + rule.epsilon)

    return update


_ADAM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the bias correction lacks its power: 1 - beta in place of 1 - beta**t", {"power": False}),
    ("the bias correction of the first moment is missing", {"corrected": (False, True)}),
    ("the bias correction of the second moment is missing", {"corrected": (True, False)}),
    ("the root of the second moment is missing", {"root": False}),
    ("the factor 1 - beta_1 of the new gradient is missing", {"rest": (False, True)}),
    ("the factor 1 - beta_2 of the new square is missing", {"rest": (True, False)}),
    ("the factors 1 - beta_1 and 1 - beta_2 are missing", {"rest": (False, False)}),
    ("the gradient is not squared in the second moment", {"square": lambda g: g}),
    ("the second moment takes the gradient's size in place of its square", {"square": np.abs}),
    ("the moments are overwritten with their corrected values", {"stored": (True, True)}),
    ("the first moment is overwritten with its corrected value", {"stored": (True, False)}),
    ("the second moment is overwritten with its corrected value", {"stored": (False, True)}),
    ("beta_1 and beta_2 have changed places", {"swapped": True}),
    ("it looks ahead, with Nesterov's momentum (Nadam)", {"nesterov": True}),
)
_LARGEST = "it takes the largest second moment so far (AMSGrad)"
_OF_THE_CORRECTED = "AMSGrad takes the largest of the corrected second moments"
_PLACES = (
    ("", "keras"),
    (" and the epsilon is added after the correction, as PyTorch's", "after"),
    (" and the epsilon is inside the root", "inside"),
)


def _adams() -> Iterator[tuple[type[rules.Optimizer], str, Update]]:
    for words, options in _ADAM:
        for more, place in _PLACES:
            if not (more and "root" in options):
                yield rules.Adam, f"{words}{more}", _adam(epsilon=place, **options)
    for more, place in _PLACES:
        yield (
            rules.Adam,
            f"{_LARGEST}{more}",
            _adam(epsilon=place, largest=True),
        )


def _adagrad(what: str) -> Update:
    def update(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
        a = slots["accumulator"]
        if what == "replaced":
            a[...] = np.square(g)
        elif what == "forgets":
            a[...] = 0.9 * a + 0.1 * np.square(g)
        else:
            a += np.abs(g) if what == "size" else g if what == "plain" else np.square(g)
        w -= rate * g / (a + rule.epsilon if what == "root" else np.sqrt(a + rule.epsilon))

    return update


def rmsprop(
    rest: bool = True,
    root: bool = True,
    outside: bool = False,
    square: Callable[[Array], Array] = np.square,
    momentum: str = "steps",
) -> Update:
    """RMSprop; ``momentum`` is of its "steps", "damped", of the "gradient" in front of the division, or "ignored"."""

    def update(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
        v, mu = slots["velocity"], getattr(rule, "momentum", 0.0)
        v[...] = rule.rho * v + (1 - rule.rho if rest else 1.0) * square(g)
        if rule.centered:
            mean = slots["average_gradient"]
            mean[...] = rule.rho * mean + (1 - rule.rho) * g
            v = v - np.square(mean)
        divisor = np.sqrt(v) + rule.epsilon if outside else np.sqrt(v + rule.epsilon)
        divisor = divisor if root else v + rule.epsilon
        if momentum == "gradient":
            m = slots["momentum"]
            m[...] = mu * m + g
            w -= rate * m / divisor
            return
        step = rate * g / divisor
        if mu and momentum != "ignored":
            m = slots["momentum"]
            m[...] = mu * m + (1 - mu if momentum == "damped" else 1.0) * step
            step = m
        w -= step

    return update


_RMSPROP: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the root of the mean square is missing", {"root": False}),
    ("the factor 1 - rho of the new square is missing", {"rest": False}),
    (
        "the factor 1 - rho of the new square is missing, and the epsilon is outside the root",
        {"rest": False, "outside": True},
    ),
    ("the gradient is not squared in the mean square", {"square": lambda g: g}),
    ("the mean square takes the gradient's size in place of its square", {"square": np.abs}),
    ("the momentum is ignored", {"momentum": "ignored"}),
    ("the momentum is ignored, and the epsilon is outside the root", {"momentum": "ignored", "outside": True}),
    ("the momentum takes (1 - momentum) times each step", {"momentum": "damped"}),
    (
        "the momentum takes (1 - momentum) times each step, and the epsilon is outside the root",
        {"momentum": "damped", "outside": True},
    ),
    ("the momentum is of the gradients, in front of the division by the root", {"momentum": "gradient"}),
    (
        "the momentum is of the gradients, in front of the division by the root, and the epsilon is outside the root",
        {"momentum": "gradient", "outside": True},
    ),
)  # fmt: skip


def _velocity_added_twice(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots["momentum"]
    m[...] = rule.momentum * m - rate * g
    w += m - rate * g


def _old_velocity(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots["momentum"]
    w += m
    m[...] = rule.momentum * m - rate * g


def _rate_twice(rule: Any, w: Array, g: Array, slots: dict[str, Array], rate: Any, t: int) -> None:
    m = slots.get("momentum", np.zeros_like(w))
    m[...] = rule.momentum * m - rate * g
    w += rate * (rule.momentum * m - rate * g if rule.nesterov else m)


_FORMS: tuple[tuple[type[rules.Optimizer], str, Update], ...] = (
    *_adams(),
    *((rules.RMSprop, words, rmsprop(**options)) for words, options in _RMSPROP),
    (rules.Adagrad, "the root of the accumulator is missing", _adagrad("root")),
    (rules.Adagrad, "the accumulator is replaced by the new square: nothing is summed", _adagrad("replaced")),
    (rules.Adagrad, "the accumulator forgets, 0.9 of the past, as RMSprop's", _adagrad("forgets")),
    (rules.Adagrad, "the accumulator takes the gradient's size in place of its square", _adagrad("size")),
    (rules.Adagrad, "the gradient is not squared in the accumulator", _adagrad("plain")),
    (rules.SGD, "the gradient is added beside the velocity that has it already", _velocity_added_twice),
    (rules.SGD, "the parameter takes the velocity of the step before", _old_velocity),
    (rules.SGD, "the learning rate is multiplied in twice", _rate_twice),
)
"""(rule, sentence, step), tried in this order."""


def forms(rule: rules.Optimizer) -> list[tuple[str, Update]]:
    """(sentence, step) of each form with a slip that a rule of this kind may have; each honours the rule's options."""
    looks_ahead = isinstance(rule, rules.SGD) and rule.nesterov
    plain = (_velocity_added_twice, _old_velocity)
    return [
        (_OF_THE_CORRECTED if getattr(rule, "amsgrad", False) and words == _LARGEST else words, update)
        for kind, words, update in _FORMS
        if isinstance(rule, kind) and not (looks_ahead and update in plain)
    ]
