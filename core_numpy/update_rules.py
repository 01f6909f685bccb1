"""The update rules of the optimizers, in order of increasing complexity, with Keras' exact formulas.

Each rule takes one parameter w, its gradient g, its slots (arrays of w's shape), the learning rate and the step t
(counted from 1), and writes w and the slots in place: the only code that writes parameters. Scalars are computed in
the parameter's dtype, as Keras does: powers of beta in float32 and float64 differ by up to 1e-5.
Sources: keras/src/optimizers/{sgd,adagrad,rmsprop,adadelta,adam,adamax,nadam,base_optimizer}.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec import optimizers as rules

Slots = dict[str, Array]

# Keras casts the decay of Nadam's momentum to the variable's dtype, which on TensorFlow goes through float32; the
# running product multiplies by the full number.
NADAM_PRODUCT_DECAY = 0.96
NADAM_STEP_DECAY = float(np.float32(NADAM_PRODUCT_DECAY))


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
    # Two temporary arrays in place of seven: an eighth less time
    work = g - m
    work *= kind(1 - rule.beta_1)
    m += work
    np.square(g, out=work)
    work -= v
    work *= kind(1 - rule.beta_2)
    v += work
    if rule.amsgrad:
        largest = slots["velocity_hat"]
        np.maximum(largest, v, out=largest)
        v = largest
    root = np.sqrt(v, out=work)
    root += kind(rule.epsilon)
    step = m * alpha
    step /= root
    w -= step


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


def nadam(
    rule: rules.Nadam, w: Array, g: Array, slots: Slots, rate: Any, t: int, decay: float = NADAM_STEP_DECAY
) -> None:
    """w -= rate * m_hat / (sqrt(v_hat) + epsilon), epsilon outside the root and after the correction.

    m_hat = u' m / (1 - p u') + (1 - u) g / (1 - p), u and u' the momenta of this and the next step, p the product of
    all momenta so far (the shared slot "u_product").
    """
    kind = w.dtype.type
    u, following = (nadam_momentum(rule, step, kind, decay) for step in (t, t + 1))
    product = slots["u_product"]
    m, v = slots["momentum"], slots["velocity"]
    # 1 - beta of rounded betas, as Keras' Nadam has it: at first it cancels with 1 - beta**t
    m += (g - m) * (1 - kind(rule.beta_1))
    v += (np.square(g) - v) * (1 - kind(rule.beta_2))
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
