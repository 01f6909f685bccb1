"""Optimizers from scratch, in order of increasing complexity, with Keras' exact formulas.

Each rule takes one parameter w, its gradient g, its slots (arrays of w's shape), the learning rate and the step t
(counted from 1), and writes w and the slots in place: the only code that writes parameters. Scalars are computed in
the parameter's dtype, as Keras does: powers of beta in float32 and float64 differ by up to 1e-5.
Sources: keras/src/optimizers/{sgd,adagrad,rmsprop,adadelta,adam,adamax,nadam,base_optimizer}.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core_numpy.schedules import learning_rate_at
from model_spec import optimizers as rules
from model_spec.schedules import Schedule
from model_spec.validation import positive_real

Array = np.ndarray
Slots = dict[str, Array]

# Keras casts the decay of Nadam's momentum to the variable's dtype, which on TensorFlow goes through float32; the
# running product multiplies by the full number.
_NADAM_PRODUCT_DECAY = 0.96
_NADAM_STEP_DECAY = float(np.float32(0.96))


def sgd(rule: rules.SGD, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """m = momentum * m - rate * g; w += m, or with Nesterov w += momentum * m - rate * g."""
    if rule.momentum == 0:
        w -= rate * g
        return
    momentum = w.dtype.type(rule.momentum)
    m = slots["momentum"]
    m *= momentum
    m -= g * rate
    w += momentum * m - g * rate if rule.nesterov else m


def adagrad(rule: rules.Adagrad, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """a += g**2; w -= rate * g / sqrt(a + epsilon), a starting at 0.1."""
    a = slots["accumulator"]
    a += np.square(g)
    w -= rate * g / np.sqrt(a + w.dtype.type(rule.epsilon))


def rmsprop(rule: rules.RMSprop, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """v = rho v + (1 - rho) g**2; step = rate * g / sqrt(v + epsilon), epsilon inside the root.

    Centered: v - mean(g)**2 takes the place of v. Momentum: m = momentum * m + step; w -= m.
    """
    kind = w.dtype.type
    v = slots["velocity"]
    v[...] = kind(rule.rho) * v + kind(1 - rule.rho) * np.square(g)
    denominator = v + kind(rule.epsilon)
    if rule.centered:
        mean = slots["average_gradient"]
        mean[...] = kind(rule.rho) * mean + kind(1 - rule.rho) * g
        denominator = v - np.square(mean) + kind(rule.epsilon)
    step = rate * g / np.sqrt(denominator)
    if rule.momentum > 0:
        m = slots["momentum"]
        m[...] = kind(rule.momentum) * m + step
        step = m
    w -= step


def adadelta(rule: rules.Adadelta, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """a = rho a + (1 - rho) g**2; d = -sqrt(s + epsilon) / sqrt(a + epsilon) * g; s likewise from d; w += rate d."""
    kind = w.dtype.type
    rho, rest, epsilon = kind(rule.rho), kind(1 - rule.rho), kind(rule.epsilon)
    a, s = slots["accumulated_grad"], slots["accumulated_delta_var"]
    a[...] = rho * a + rest * np.square(g)
    delta = -(np.sqrt(s + epsilon) * g / np.sqrt(a + epsilon))
    s[...] = rho * s + rest * np.square(delta)
    w += rate * delta


def adam(rule: rules.Adam, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """m += (g - m)(1 - b1); v += (g**2 - v)(1 - b2); w -= m alpha / (sqrt(v) + epsilon).

    alpha = rate * sqrt(1 - b2**t) / (1 - b1**t), epsilon outside the root and not scaled ("epsilon hat" of the
    paper). AMSGrad: the largest v so far takes its place.
    """
    kind = w.dtype.type
    alpha = rate * np.sqrt(1 - kind(rule.beta_2) ** kind(t)) / (1 - kind(rule.beta_1) ** kind(t))
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    if rule.amsgrad:
        largest = slots["velocity_hat"]
        np.maximum(largest, v, out=largest)
        v = largest
    w -= m * alpha / (np.sqrt(v) + kind(rule.epsilon))


def adamax(rule: rules.Adamax, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """m += (g - m)(1 - b1); u = max(b2 u, |g|); w -= rate m / ((1 - b1**t)(u + epsilon))."""
    kind = w.dtype.type
    m, u = slots["momentum"], slots["norm"]
    m += (g - m) * kind(1 - rule.beta_1)
    np.maximum(kind(rule.beta_2) * u, np.abs(g), out=u)
    w -= rate * m / ((1 - kind(rule.beta_1) ** kind(t)) * (u + kind(rule.epsilon)))


def nadam_momentum(rule: rules.Nadam, t: int, kind: Any, decay: float) -> Any:
    """b1 * (1 - 0.5 * decay**t), the momentum of step t (Dozat, 2016)."""
    return kind(rule.beta_1) * (1 - kind(0.5) * kind(decay) ** kind(t))


def nadam(rule: rules.Nadam, w: Array, g: Array, slots: Slots, rate: Any, t: int) -> None:
    """w -= rate * m_hat / (sqrt(v_hat) + epsilon), epsilon outside the root and after the correction.

    m_hat = u' m / (1 - p u') + (1 - u) g / (1 - p), u and u' the momenta of this and the next step, p the product of
    all momenta so far (the shared slot "u_product").
    """
    kind = w.dtype.type
    u, following = (nadam_momentum(rule, step, kind, _NADAM_STEP_DECAY) for step in (t, t + 1))
    product = slots["u_product"]
    m, v = slots["momentum"], slots["velocity"]
    m += (g - m) * kind(1 - rule.beta_1)
    v += (np.square(g) - v) * kind(1 - rule.beta_2)
    m_hat = following * m / (1 - product * following) + (1 - u) * g / (1 - product)
    v_hat = v / (1 - kind(rule.beta_2) ** kind(t))
    w -= m_hat * rate / (np.sqrt(v_hat) + kind(rule.epsilon))


@dataclass(frozen=True)
class UpdateRule:
    """A rule beside the slots it keeps; ``slots(rule)`` gives their names."""

    update: Callable[..., None]
    slots: Callable[[Any], tuple[str, ...]]


UPDATE_RULES: dict[type[rules.Optimizer], UpdateRule] = {
    rules.SGD: UpdateRule(sgd, lambda rule: ("momentum",) if rule.momentum else ()),
    rules.Adagrad: UpdateRule(adagrad, lambda rule: ("accumulator",)),
    rules.RMSprop: UpdateRule(
        rmsprop,
        lambda rule: (
            "velocity",
            *(("momentum",) if rule.momentum > 0 else ()),
            *(("average_gradient",) if rule.centered else ()),
        ),
    ),
    rules.Adadelta: UpdateRule(adadelta, lambda rule: ("accumulated_grad", "accumulated_delta_var")),
    rules.Adam: UpdateRule(adam, lambda rule: ("momentum", "velocity", *(("velocity_hat",) if rule.amsgrad else ()))),
    rules.AdamW: UpdateRule(adam, lambda rule: ("momentum", "velocity", *(("velocity_hat",) if rule.amsgrad else ()))),
    rules.Adamax: UpdateRule(adamax, lambda rule: ("momentum", "norm")),
    rules.Nadam: UpdateRule(nadam, lambda rule: ("momentum", "velocity")),
}


def clipped(rule: rules.Optimizer, gradients: dict[str, Array]) -> dict[str, Array]:
    """Gradients scaled down to ``clipnorm`` each or ``global_clipnorm`` together, where the rule asks for it."""
    if rule.clipnorm is not None:
        return {name: _with_norm_at_most(g, rule.clipnorm) for name, g in gradients.items()}
    if rule.global_clipnorm is not None and gradients:
        total = np.sqrt(np.sum([np.square(g).sum() for g in gradients.values()]))
        kind = next(iter(gradients.values())).dtype.type
        limit = kind(rule.global_clipnorm)
        with np.errstate(divide="ignore"):
            scale = limit * np.minimum(1 / kind(total), 1 / limit)
        return {name: g * scale for name, g in gradients.items()}
    return gradients


def _with_norm_at_most(g: Array, limit: float) -> Array:
    norm = np.sqrt(np.square(g).sum())
    kind = g.dtype.type
    return g * kind(limit) / np.maximum(norm, kind(limit))


BLOCK = 1 << 14
"""Parameters updated at once: their values, slots and the rule's intermediate results stay in the cache."""


def one_vector(arrays: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Copies of the arrays, one behind the other in one vector: (vector, {name: view of its part})."""
    kind = next(iter(arrays.values())).dtype if arrays else np.dtype(np.float32)
    vector = np.empty(sum(value.size for value in arrays.values()), kind)
    views, at = {}, 0
    for name, value in arrays.items():
        views[name] = vector[at : at + value.size].reshape(value.shape)
        views[name][...] = value
        at += value.size
    return vector, views


def vector_of(arrays: dict[str, Array]) -> Array | None:
    """The vector whose parts these arrays are, in this order and without gaps; None where they are not."""
    values = list(arrays.values())
    vector = values[0].base if values else None
    if vector is None or vector.ndim != 1 or sum(value.size for value in values) != vector.size:
        return None
    address = vector.__array_interface__["data"][0]
    for value in values:
        if value.base is not vector or value.__array_interface__["data"][0] != address:
            return None
        address += value.nbytes
    return vector


@dataclass
class OptimizerState:
    """A rule with its slots for the parameters of one training run.

    Parameters that are parts of one vector (``one_vector``) are updated as that vector, block by block: the same
    arithmetic on every number, in a fraction of the calls.

    Attributes:
        rule: the specification's optimizer.
        slots: {"conv2d/kernel": {"momentum": array, ...}}.
        shared: slots that belong to no parameter ("u_product" of Nadam).
        iterations: steps taken so far.
        learning_rate: the rate in force, for rules without a schedule; a callback may change it.
        vectors: {"momentum": vector}, whose parts the slots of all parameters are.
    """

    rule: rules.Optimizer
    slots: dict[str, Slots] = field(default_factory=dict)
    shared: Slots = field(default_factory=dict)
    iterations: int = 0
    learning_rate: float = 0.0
    vectors: Slots = field(default_factory=dict)

    @classmethod
    def start(cls, rule: rules.Optimizer, parameters: dict[str, Array]) -> OptimizerState:
        """Fresh slots for these parameters.

        Raises:
            ValueError: for an optimizer this backend does not know, with the list of those it knows.
        """
        if type(rule) not in UPDATE_RULES:
            known = ", ".join(kind.__name__ for kind in UPDATE_RULES)
            raise ValueError(f"no optimizer for {rule!r}; known are {known}")
        start = getattr(rule, "initial_accumulator_value", 0.0)
        names = UPDATE_RULES[type(rule)].slots(rule)
        slots: dict[str, Slots] = {name: {} for name in parameters}
        vectors = {}
        for slot in names:
            vectors[slot], views = one_vector({name: np.full_like(w, start) for name, w in parameters.items()})
            for name, view in views.items():
                slots[name][slot] = view
        shared = {}
        if isinstance(rule, rules.Nadam) and parameters:
            shared["u_product"] = np.ones((), next(iter(parameters.values())).dtype)
        return cls(rule, slots, shared, 0, learning_rate_at(rule.learning_rate, 0), vectors)

    def current_learning_rate(self) -> float:
        """The rate of the next step."""
        if isinstance(self.rule.learning_rate, Schedule):
            return learning_rate_at(self.rule.learning_rate, self.iterations)
        return self.learning_rate

    def set_learning_rate(self, rate: float) -> None:
        """Change the rate of the coming steps."""
        if isinstance(self.rule.learning_rate, Schedule):
            raise ValueError(
                f"the learning rate follows {self.rule.learning_rate!r} and cannot be set; "
                f"train with a number as learning_rate"
            )
        self.learning_rate = positive_real("learning_rate", rate)

    def step(self, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        """Change the parameters in place by one step along these gradients."""
        rule, t = self.rule, self.iterations + 1
        gradients = clipped(rule, gradients)
        rate = self.current_learning_rate()
        if isinstance(rule, rules.Nadam):
            product = self.shared["u_product"]
            product *= nadam_momentum(rule, t, product.dtype.type, _NADAM_PRODUCT_DECAY)
        vector = self._vector(parameters, gradients)
        if vector is None:
            for name, g in gradients.items():
                self._update(parameters[name], g, self.slots[name], rate, t)
        else:
            gradient = np.concatenate([g.reshape(-1) for g in gradients.values()])
            for at in range(0, vector.size, BLOCK):
                part = slice(at, at + BLOCK)
                slots = {name: values[part] for name, values in self.vectors.items()}
                self._update(vector[part], gradient[part], slots, rate, t)
        self.iterations = t

    def _vector(self, parameters: dict[str, Array], gradients: dict[str, Array]) -> Array | None:
        """The vector of all parameters, where they, their gradients and slots stand in one order in one vector each."""
        in_order = list(parameters) == list(gradients) == list(self.slots)
        has_vectors = set(self.vectors) == set(UPDATE_RULES[type(self.rule)].slots(self.rule))
        return vector_of(parameters) if in_order and has_vectors else None

    def _update(self, w: Array, g: Array, slots: Slots, rate: float, t: int) -> None:
        kind = w.dtype.type
        if self.rule.weight_decay is not None:
            w -= w * kind(self.rule.weight_decay) * kind(rate)
        UPDATE_RULES[type(self.rule)].update(self.rule, w, g, {**slots, **self.shared}, kind(rate), t)

    @property
    def name(self) -> str:
        """Keras' name of the optimizer, the first part of its slots' names."""
        return type(self.rule).__name__.lower()

    def to_dict(self) -> dict[str, Array]:
        """All slots by name, {"adam/conv2d/kernel/momentum": copy, ..., "adam/iterations": count}."""
        state = {
            f"{self.name}/{parameter}/{slot}": value.copy()
            for parameter, own in self.slots.items()
            for slot, value in own.items()
        }
        state |= {f"{self.name}/{slot}": value.copy() for slot, value in self.shared.items()}
        state[f"{self.name}/iterations"] = np.array(self.iterations)
        if not isinstance(self.rule.learning_rate, Schedule):
            state[f"{self.name}/learning_rate"] = np.array(self.learning_rate)
        return state

    def load(self, state: dict[str, Array]) -> None:
        """Take over slots written by :meth:`to_dict`, of this backend or the other; all or nothing."""
        fresh = {}
        for name, mine in self.to_dict().items():
            value = np.asarray(state[name]) if name in state else None
            if value is None or value.shape != mine.shape or value.dtype.kind not in "iuf":
                found = "nothing" if value is None else f"shape {value.shape} of {value.dtype}"
                raise ValueError(f"optimizer state {name}: expected numbers of shape {mine.shape}, got {found}")
            fresh[name] = value
        for parameter, own in self.slots.items():
            for slot, value in own.items():
                value[...] = fresh[f"{self.name}/{parameter}/{slot}"]
        for slot, value in self.shared.items():
            value[...] = fresh[f"{self.name}/{slot}"]
        self.iterations = int(fresh[f"{self.name}/iterations"])
        self.learning_rate = float(fresh.get(f"{self.name}/learning_rate", self.learning_rate))
