"""Forms of losses: as claimed, with a slip, and with a constant that is solved for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core_numpy.contract import Array
from core_numpy.losses import loss_function
from core_numpy.ops.activations import sigmoid
from core_numpy.ops.softmax import softmax
from model_spec import losses as rules


@dataclass(frozen=True)
class LossFeed:
    """One batch for a loss: outputs (n, ...), rows of targets like them, and what was found.

    Attributes:
        outputs: probabilities, logits or values.
        targets: one row an example; classes as one-hot rows.
        value: the foreign loss.
        gradient: the foreign gradient with respect to the outputs, or None.
    """

    outputs: Array
    targets: Array
    value: float | None
    gradient: Array | None


@dataclass(frozen=True)
class LossForm:
    """One form of a loss: the value of each example, and the gradient of each example's value."""

    words: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]


def claimed(rule: rules.Loss, from_logits: bool) -> LossForm:
    """The loss as it should be: without clips, rounded constants, and dividing probabilities by their sum."""
    if isinstance(rule, rules.CategoricalCrossentropy) and not from_logits:
        return _cross_entropy("", 0.0, rule.label_smoothing)
    if isinstance(rule, rules.BinaryCrossentropy) and not from_logits:
        return _binary("", 0.0, rule.label_smoothing)
    function = loss_function(rule, from_logits)
    if isinstance(rule, rules.LogCosh):
        exact = rules.LOG_2 - math.log(2)
        return LossForm("", lambda p, t: function(p, t)[0] + exact, lambda p, t: function(p, t)[1])
    return LossForm("", lambda p, t: function(p, t)[0], lambda p, t: function(p, t)[1])


ROUNDED = "log(2) is rounded to float32, as Keras'"
"""Said of a log_cosh with Keras' constant."""


def with_rounded_constants(rule: rules.Loss) -> LossForm | None:
    """The same with constants rounded to float32, as Keras has them; None where there are none."""
    if not isinstance(rule, rules.LogCosh):
        return None
    function = loss_function(rule, False)
    return LossForm(ROUNDED, lambda p, t: function(p, t)[0], lambda p, t: function(p, t)[1])


def _smooth(t: Array, smoothing: float, share: float) -> Array:
    return t * (1 - smoothing) + smoothing * share


def _cross_entropy(words: str, epsilon: float, smoothing: float = 0.0) -> LossForm:
    def value(p: Array, t: Array) -> Array:
        return np.asarray(-(_smooth(t, smoothing, 1 / t.shape[-1]) * np.log(p + epsilon)).sum(axis=-1))

    return LossForm(words, value, lambda p, t: -_smooth(t, smoothing, 1 / t.shape[-1]) / (p + epsilon))


def _binary(words: str, epsilon: float, smoothing: float = 0.0, both: bool = True) -> LossForm:
    def value(p: Array, t: Array) -> Array:
        t = _smooth(t, smoothing, 0.5)
        terms = t * np.log(p + epsilon) + both * (1 - t) * np.log(1 - p + epsilon)
        return np.asarray(-terms.reshape(len(t), -1).mean(axis=1))

    def gradient(p: Array, t: Array) -> Array:
        t = _smooth(t, smoothing, 0.5)
        return np.asarray((both * (1 - t) / (1 - p + epsilon) - t / (p + epsilon)) / t[0].size)

    return LossForm(words, value, gradient)


def of_all_pairs(rule: rules.Loss, from_logits: bool, batch: int) -> LossForm:
    """The loss of one output an example where a missing axis sets every output against every target."""
    right = claimed(rule, from_logits)

    def pairs(p: Array, t: Array) -> tuple[Array, Array]:
        n = len(p)
        return np.tile(p.reshape(1, n), (n, 1)), np.tile(t.reshape(n, 1), (1, n))

    return LossForm(
        f"({batch},) against ({batch}, 1) is broadcast to ({batch}, {batch}), every output against every target: give "
        f"outputs and targets one shape",
        lambda p, t: right.value(*pairs(p, t)),
        lambda p, t: right.gradient(*pairs(p, t)).sum(axis=0).reshape(p.shape),
    )


def other_forms(rule: rules.Loss, from_logits: bool) -> Iterator[LossForm]:
    """Other forms than the claimed one."""
    right = claimed(rule, from_logits)
    if isinstance(rule, rules.CategoricalCrossentropy):
        if from_logits:
            inner = claimed(rule, False)
            yield LossForm("it takes probabilities, not logits", inner.value, inner.gradient)
            yield LossForm(
                "softmax is taken twice",
                lambda z, t: right.value(softmax(z), t),
                lambda z, t: right.gradient(softmax(z), t),
            )
        else:
            fused = claimed(rule, True)
            yield LossForm(
                "softmax is taken of the probabilities once more: it expects logits", fused.value, fused.gradient
            )
            yield LossForm(
                "it is the gradient with respect to the logits in front of a softmax, p - t",
                right.value,
                lambda p, t: p - t,
            )
            yield LossForm("it leaves the targets out: 1 / p for every class", right.value, lambda p, t: -1 / p)
        both = _binary("", 0.0, rule.label_smoothing)
        if not from_logits:
            yield LossForm(
                "it is the binary cross-entropy, with (1 - t) log(1 - p)",
                lambda p, t: both.value(p, t) * t.shape[-1],
                lambda p, t: both.gradient(p, t) * t.shape[-1],
            )
    if isinstance(rule, rules.BinaryCrossentropy) and not from_logits:
        yield _binary("the term (1 - t) log(1 - p) is missing", 0.0, both=False)
        yield LossForm(
            "it is the gradient with respect to the logits in front of a sigmoid, p - t",
            right.value,
            lambda p, t: (p - t) / t[0].size,
        )
        fused = claimed(rule, True)
        yield LossForm(
            "sigmoid is taken of the probabilities once more: it expects logits", fused.value, fused.gradient
        )
    if isinstance(rule, (rules.MeanSquaredError, rules.HalfSumSquaredError)):
        size = 1.0 if isinstance(rule, rules.HalfSumSquaredError) else None
        yield LossForm(
            "it is the absolute error",
            lambda p, t: np.abs(p - t).reshape(len(t), -1).mean(axis=1),
            lambda p, t: np.sign(p - t) / (size or t[0].size),
        )
        yield LossForm("it is not squared", lambda p, t: (p - t).reshape(len(t), -1).mean(axis=1), right.gradient)
    if isinstance(rule, rules.Huber):
        yield from _hubers(rule)
    if isinstance(rule, rules.LogCosh):
        yield LossForm(
            "the constant log(2) is missing: |d| + log(1 + exp(-2 |d|)) - log(2)",
            lambda p, t: right.value(p, t) + math.log(2),
            right.gradient,
        )
        yield LossForm(
            "it is the logarithm of sinh", lambda p, t: _mean(np.log(np.abs(np.sinh(p - t)))), right.gradient
        )
        yield LossForm(
            "it is cosh without the logarithm",
            lambda p, t: _mean(np.cosh(p - t)),
            lambda p, t: np.sinh(p - t) / t[0].size,
        )
    smoothing = getattr(rule, "label_smoothing", 0.0)
    if smoothing:
        plain = claimed(type(rule)(), from_logits)
        yield LossForm("label smoothing is left out", plain.value, plain.gradient)


def _mean(terms: Array) -> Array:
    return np.asarray(terms.reshape(len(terms), -1).mean(axis=1))


def _huber(words: str, delta: float, square: float = 0.5, minus: float = 0.5, line: float | None = None) -> LossForm:
    """square d^2 up to delta, line |d| - minus delta^2 beyond."""
    slope = delta if line is None else line

    def value(p: Array, t: Array) -> Array:
        d = np.abs(p - t)
        return _mean(np.where(d <= delta, square * d * d, slope * d - minus * delta**2))

    def gradient(p: Array, t: Array) -> Array:
        d = p - t
        return np.where(np.abs(d) <= delta, 2 * square * d, slope * np.sign(d)) / t[0].size

    return LossForm(words, value, gradient)


def _hubers(rule: rules.Huber) -> Iterator[LossForm]:
    delta = rule.delta
    yield _huber("beyond delta, the constant - delta^2 / 2 is missing", delta, minus=0.0)
    yield _huber("the square is not halved, and the line beyond delta is as it should be", delta, square=1.0)
    yield _huber(
        "the square is not halved, nor is the constant beyond delta", delta, square=1.0, minus=1.0, line=2 * delta
    )
    yield _huber("beyond delta it is the absolute error without the factor delta", delta, line=1.0)
    yield _huber("beyond delta it is the absolute error alone", delta, minus=0.0, line=1.0)
    yield _huber("beyond delta the constant is - delta^2 in place of - delta^2 / 2", delta, minus=1.0)
    if delta != 1:
        yield _huber("beyond delta the constant is - delta / 2 in place of - delta^2 / 2", delta, minus=0.5 / delta)
    infinite = _huber("", math.inf)
    yield LossForm("it is the square everywhere: there is no line beyond delta", infinite.value, infinite.gradient)


def solved_forms(
    rule: rules.Loss, from_logits: bool, feeds: list[LossFeed], scale: float, tolerance: float
) -> Iterator[LossForm]:
    """-log(p + epsilon), epsilon solved for; under each scale that a sum or mean may have."""
    kinds: dict[type, Callable[[str, float, float], LossForm]] = {
        rules.CategoricalCrossentropy: _cross_entropy,
        rules.BinaryCrossentropy: _binary,
    }
    make = kinds.get(type(rule))
    first = feeds[0]
    if isinstance(rule, rules.Huber) and first.value is not None:
        delta = _bisect(
            lambda d: float(_huber("", d).value(first.outputs, first.targets).sum()), first.value / scale, 1e-6, 1e6
        )
        if delta is not None and abs(delta - rule.delta) > 1e-6 * rule.delta:
            yield _huber(f"its delta is {delta:.6g} in place of {rule.delta:g}", float(f"{delta:.9g}"))
    if make is None:
        return
    smoothing = getattr(rule, "label_smoothing", 0.0)
    squash = (softmax if isinstance(rule, rules.CategoricalCrossentropy) else sigmoid) if from_logits else None
    behind = _behind_softmax if isinstance(rule, rules.CategoricalCrossentropy) else _behind_sigmoid
    n, size = len(first.outputs), first.outputs[0].size

    def form(epsilon: float) -> LossForm:
        inner = make("", epsilon, smoothing)
        words = f"the logarithm has an epsilon in it: log(p + {epsilon:g})"
        if squash is None:
            return LossForm(words, inner.value, inner.gradient)
        return LossForm(words, lambda z, t: inner.value(squash(z), t), lambda z, t: behind(inner, squash(z), t))

    tried = set()
    for factor in (1.0, n, 1 / n, size, 1 / size, n * size, 0.5, 2.0, -1.0, 1 / np.log(2)):
        if first.value is None:
            break
        target = first.value / (factor * scale)
        epsilon = _bisect(lambda e: float(form(e).value(first.outputs, first.targets).sum()), target)
        if epsilon is None:
            continue
        rounded = float(f"{epsilon:.1g}")
        if abs(rounded - epsilon) <= 1e-2 * epsilon and rounded not in tried:
            tried.add(rounded)
            yield form(rounded)
    for epsilon in (1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-6, 1e-5, 1e-4, 1e-3):
        if epsilon not in tried:
            yield form(epsilon)


def _behind_softmax(form: LossForm, p: Array, t: Array) -> Array:
    dy = form.gradient(p, t)
    return np.asarray(p * (dy - (dy * p).sum(axis=-1, keepdims=True)))


def _behind_sigmoid(form: LossForm, p: Array, t: Array) -> Array:
    return np.asarray(form.gradient(p, t) * p * (1 - p))


def _bisect(function: Callable[[float], float], wanted: float, low: float = 1e-16, high: float = 0.1) -> float | None:
    """Where a monotone function takes a value, on a logarithmic scale."""
    at_low, at_high = function(low), function(high)
    if not min(at_low, at_high) < wanted < max(at_low, at_high):
        return None
    for _ in range(100):
        middle = math.sqrt(low * high)
        if (function(middle) - wanted) * (at_low - wanted) > 0:
            low = middle
        else:
            high = middle
    return low
