"""What is wrong with a loss: its scale, an epsilon in the logarithm, a term left out, another gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from bridge.conventions.outcome import close, distance
from bridge.conventions.relations import Surroundings, factor_in_words, is_one, relation
from core_numpy.losses import loss_function
from core_numpy.ops.activations import sigmoid
from core_numpy.ops.softmax import one_hot, softmax
from model_spec import losses as rules

Array = np.ndarray


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


def _forms(rule: rules.Loss, from_logits: bool) -> Iterator[LossForm]:
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
    smoothing = getattr(rule, "label_smoothing", 0.0)
    if smoothing:
        plain = claimed(type(rule)(), from_logits)
        yield LossForm("label smoothing is left out", plain.value, plain.gradient)


def loss_causes(
    rule: rules.Loss, from_logits: bool, feeds: list[LossFeed], tolerance: float, reduction: str = "mean"
) -> list[str]:
    """Sentences about what a loss and its gradient are, where they are not as claimed.

    Args:
        rule: the claim.
        from_logits: what it was fed.
        feeds: batches of one size, with what was found.
        tolerance: share by which equal values may differ.
        reduction: "mean" or "sum" over the batch, as claimed.
    """
    n = len(feeds[0].outputs)
    scale = 1.0 if reduction == "sum" else 1 / n
    outputs = math.prod(feeds[0].outputs.shape[1:])
    around = Surroundings(
        n, {f"the {outputs} outputs of an example": outputs, f"the {n * outputs} outputs": n * outputs}
    )
    right = claimed(rule, from_logits)
    said = []
    rounded = with_rounded_constants(rule)
    with np.errstate(all="ignore"):
        if rounded is not None and all(feed.value is not None for feed in feeds):
            values = np.array([feed.value for feed in feeds])
            right = min(
                (right, replace(rounded, words="")), key=lambda form: distance(values, _values(form, feeds, scale))
            )
        forms = [right, *_solved(rule, from_logits, feeds, scale, tolerance), *_forms(rule, from_logits)]
        if all(feed.value is not None for feed in feeds):
            found = np.array([feed.value for feed in feeds])
            said += _of("the loss", found, forms, lambda form: _values(form, feeds, scale), around, tolerance)
            if said == [""]:
                said = _root(found, _values(right, feeds, scale), tolerance)
        gradients = [feed.gradient for feed in feeds]
        if all(gradient is not None and gradient.shape == feeds[0].outputs.shape for gradient in gradients):
            found = np.concatenate([np.asarray(gradient) for gradient in gradients])
            said += _of("the gradient", found, forms, lambda form: _gradients(form, feeds, scale), around, tolerance)
        elif gradients[0] is not None:
            words = relation("the gradient", gradients[0], _gradients(right, feeds[:1], scale), tolerance, around)
            said += [words or f"the gradient has shape {gradients[0].shape} in place of {feeds[0].outputs.shape}"]
    return [words for words in said if words]


def _values(form: LossForm, feeds: list[LossFeed], scale: float) -> Array:
    return np.array([form.value(feed.outputs, feed.targets).sum() * scale for feed in feeds])


def _gradients(form: LossForm, feeds: list[LossFeed], scale: float) -> Array:
    return np.concatenate([form.gradient(feed.outputs, feed.targets) * scale for feed in feeds])


def _of(
    name: str,
    found: Array,
    forms: list[LossForm],
    compute: Callable[[LossForm], Array],
    around: Surroundings,
    tolerance: float,
) -> list[str]:
    """The simplest words: the form itself, a form as another one says it, or either times a constant."""
    wanted = [compute(form) for form in forms]
    if close(found, wanted[0], tolerance):
        return [""]
    factor = _constant(found, wanted[0], around, tolerance)
    for form, value in zip(forms, wanted, strict=True):
        # A form may come close by chance: a constant that comes closer is the simpler explanation
        if close(found, value, tolerance) and not (
            factor is not None and distance(found, factor * wanted[0]) <= distance(found, value)
        ):
            return [f"{name}: {form.words}"]
    for form, value in zip(forms, wanted, strict=True):
        factor = _constant(found, value, around, tolerance)
        if factor is not None:
            times = f"{name} is {factor_in_words(factor, around)}"
            return [times if not form.words else f"{times}; and {form.words}"]
    words = relation(name, found, wanted[0], tolerance, around)
    return [words or ""]


def _constant(found: Array, value: Array, around: Surroundings, tolerance: float) -> float | None:
    """The factor between two arrays; between single numbers, one that is known."""
    square = float(np.vdot(value, value))
    if not np.isfinite(square) or not square or not np.isfinite(found).all():
        return None
    factor = float(np.vdot(value, found)) / square
    if not factor or is_one(factor) or not close(found, factor * value, tolerance):
        return None
    if found.size == 1:
        known = [around.batch, 2.0, *around.counts.values()]
        if not any(abs(abs(factor) - each) <= tolerance * each for k in known for each in (k, 1 / k)):
            return None
    return factor


def _solved(
    rule: rules.Loss, from_logits: bool, feeds: list[LossFeed], scale: float, tolerance: float
) -> Iterator[LossForm]:
    """-log(p + epsilon), epsilon solved for; under each scale that a sum or mean may have."""
    kinds: dict[type, Callable[[str, float, float], LossForm]] = {
        rules.CategoricalCrossentropy: _cross_entropy,
        rules.BinaryCrossentropy: _binary,
    }
    make = kinds.get(type(rule))
    first = feeds[0]
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


def _bisect(function: Callable[[float], float], wanted: float) -> float | None:
    """Where a monotone function of 1e-16 .. 0.1 takes a value, on a logarithmic scale."""
    low, high = 1e-16, 0.1
    at_low, at_high = function(low), function(high)
    if not min(at_low, at_high) < wanted < max(at_low, at_high):
        return None
    for _ in range(80):
        middle = math.sqrt(low * high)
        if (function(middle) - wanted) * (at_low - wanted) > 0:
            low = middle
        else:
            high = middle
    return low


def _root(found: Array, right: Array, tolerance: float) -> list[str]:
    return ["the loss is the root of the true value"] if close(found, np.sqrt(right), tolerance) else []


def as_rows(targets: Array, outputs: Array) -> Array:
    """Classes as one-hot rows; rows as they are."""
    return one_hot(targets, outputs.shape[-1], "float64") if targets.ndim < outputs.ndim else targets
