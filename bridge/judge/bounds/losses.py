"""Rounding in losses: the error of the value and of the gradient it starts the backward pass with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bridge.judge.bounds.regression_losses import RULES, gradient_error
from bridge.judge.rounding import Rounding
from core_numpy import losses
from core_numpy.contract import Array
from core_numpy.ops.softmax import one_hot
from model_spec import losses as rules

_CLIP = 1e-7
"""Probabilities are clipped to _CLIP .. 1 - _CLIP, as in core_numpy.losses."""


@dataclass(frozen=True)
class LossTrace:
    """One loss on one batch.

    Attributes:
        rule: the loss.
        from_logits: whether it is computed from logits.
        output: what it is computed from, one row an example.
        variance: of the output's error, same shape.
        targets: as the loss function takes them.
    """

    rule: rules.Loss
    from_logits: bool
    output: Array
    variance: Array
    targets: Array

    @property
    def function(self) -> losses.LossFunction:
        """The loss as core_numpy computes it."""
        return losses.loss_function(self.rule, self.from_logits)

    @property
    def is_smoothed(self) -> bool:
        """True where the targets the loss works with are rounded."""
        return bool(getattr(self.rule, "label_smoothing", 0.0))

    @property
    def rows(self) -> Array:
        """The smoothed targets in the shape of the output."""
        rows = self.targets
        if rows.ndim == 1 and self.output.ndim == 2:
            rows = one_hot(rows, self.output.shape[-1], "float64")
        share = 0.5 if isinstance(self.rule, rules.BinaryCrossentropy) else 1 / rows.shape[-1]
        return losses.smoothed(rows, getattr(self.rule, "label_smoothing", 0.0), share)

    @property
    def takes_probabilities(self) -> bool:
        """True where the output is clipped and its logarithm taken."""
        return not self.from_logits and isinstance(self.rule, rules.Crossentropy)


@dataclass(frozen=True)
class LossError:
    """Error of a loss and its gradient.

    Attributes:
        gradient: variance of the mean loss's gradient with respect to the output.
        kink: square of what the other side of a clip could change in that gradient.
        value: variance of the mean loss.
        uncertain: number of outputs so near a clip that rounding decides its side.
    """

    gradient: Array
    kink: Array
    value: Array
    uncertain: int


def loss_error(rounding: Rounding, trace: LossTrace) -> LossError:
    """Error of the mean loss over the batch, and of its gradient."""
    count = len(trace.output)
    per_example, gradients = trace.function(trace.output, trace.targets)
    if type(trace.rule) in RULES:
        own, kink, unsure = gradient_error(rounding, trace.rule, trace.output, trace.variance, trace.targets)
        kink = kink / count**2
    else:
        own = _carried(trace) + _LOCAL[_kind(trace)](rounding, trace, gradients)
        kink, unsure = np.zeros_like(trace.output), np.zeros_like(trace.output, bool)
    variance = (own + 2 * rounding.unit * np.square(gradients)) / count**2
    if trace.takes_probabilities:
        unsure = _near_a_clip(rounding, trace)
        kink = _jump(trace, unsure) / count**2
    moved = (np.square(gradients / count) + kink) * trace.variance
    value = moved.sum() + _value(rounding, trace.output, per_example)
    return LossError(variance, kink, value, int(unsure.sum()))


def _kind(trace: LossTrace) -> str:
    if isinstance(trace.rule, rules.CategoricalCrossentropy):
        return "logits" if trace.from_logits else "classes" if trace.targets.ndim == 1 else "shares"
    if isinstance(trace.rule, rules.BinaryCrossentropy):
        return "bits from logits" if trace.from_logits else "bits"
    return "squares"


def _carried(trace: LossTrace) -> Array:
    """Error of the output, carried into the gradient through the second derivative.

    How the gradient moves with each output of an example is taken by central differences: losses are smooth in
    float64 (up to the clips, see _near_a_clip), and the few outputs of an example make it cheap.
    """
    output = trace.output
    scale = 1e-5 * np.maximum(1, np.abs(output))
    if trace.takes_probabilities:
        # 1 / p and 1 / (1 - p) curve the faster the nearer p lies to 0 and 1; shares are relative to their sum
        total = np.abs(output).sum(axis=-1, keepdims=True)
        floor = _CLIP * np.minimum(1, total) + np.finfo(np.float64).tiny
        scale = 1e-6 * np.maximum(np.minimum(np.abs(output), np.abs(1 - output)), floor)
    carried = np.zeros_like(output)
    for column in range(output.shape[-1]):
        shift = np.zeros_like(output)
        shift[..., column] = scale[..., column]
        slope = trace.function(output + shift, trace.targets)[1] - trace.function(output - shift, trace.targets)[1]
        slope = slope / (2 * shift[..., column, None])
        carried += np.square(slope) * trace.variance[..., column, None]
    return carried


def _exponential(rounding: Rounding, probability: Array) -> Array:
    """Variance of a probability computed as exp(log p): the error of the exponent is relative to the exponent."""
    safe = np.maximum(probability, np.finfo(np.float64).tiny)
    return rounding.function(probability) + 4 * rounding.unit * np.square(probability * np.log(safe))


def _targets(rounding: Rounding, trace: LossTrace) -> Array:
    rows = trace.rows
    return 3 * rounding.unit * (np.square(rows) + np.square(1 - rows)) * (trace.is_smoothed | (rows * (1 - rows) != 0))


def _from_logits(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    # p sum(t) - t
    probability = np.maximum(gradients + trace.rows, 0)
    return _exponential(rounding, probability) + _targets(rounding, trace)


def _bits_from_logits(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    # (1 - t) - sigmoid(-z), or sigmoid(z) - t, which rounds p = sigmoid(z) before the two cancel
    tail = np.exp(-np.abs(trace.output))
    probability = np.where(trace.output > 0, 1, tail) / (1 + tail)
    outputs = trace.output[0].size
    return (rounding.function(probability) + 2 * rounding.function(tail) + _targets(rounding, trace)) / outputs**2


def _clipped(output: Array) -> tuple[Array, Array]:
    clipped = np.clip(output, _CLIP, 1 - _CLIP)
    return clipped, clipped == output


def _from_classes(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    # (softmax(log c) - t) / c: errors of the logarithms go through the softmax
    clipped, inside = _clipped(trace.output)
    share = clipped / clipped.sum(axis=-1, keepdims=True)
    logarithm = rounding.function(np.log(clipped))
    spread = (np.square(share) * logarithm).sum(axis=-1, keepdims=True)
    own = np.square(share) * (logarithm + spread) + _exponential(rounding, share)
    return (own / np.square(clipped) + rounding.unit * np.square(gradients)) * inside


def _from_shares(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    # (d - sum(d s)) / total with d = -t / s: the two cancel where one share is nearly 1
    total = trace.output.sum(axis=-1, keepdims=True)
    clipped, inside = _clipped(trace.output / total)
    summed = 1 + trace.output.shape[-1] / 3
    slope = np.where(inside, trace.rows / clipped, 0)
    products = np.where(inside, trace.rows, 0)
    inner = products.sum(axis=-1, keepdims=True)
    own = (3 + summed + 3 * trace.is_smoothed) * np.square(slope)
    own = own + (4 + summed) * np.square(products).sum(axis=-1, keepdims=True) + summed * np.square(inner)
    return rounding.unit * (own / np.square(total) + summed * np.square(gradients))


def _from_bits(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    # (1 - t) / (1 - c) - t / c
    clipped, inside = _clipped(trace.output)
    rows, outputs = trace.rows, trace.output[0].size
    parts = np.square((1 - rows) / (1 - clipped)) + np.square(rows / clipped)
    return (4 + 3 * trace.is_smoothed) * rounding.unit * parts * inside / outputs**2


def _from_squares(rounding: Rounding, trace: LossTrace, gradients: Array) -> Array:
    return 2 * rounding.unit * np.square(gradients)


_LOCAL: dict[str, Callable[[Rounding, LossTrace, Array], Array]] = {
    "logits": _from_logits,
    "bits from logits": _bits_from_logits,
    "classes": _from_classes,
    "shares": _from_shares,
    "bits": _from_bits,
    "squares": _from_squares,
}


def _near_a_clip(rounding: Rounding, trace: LossTrace) -> Array:
    """True where rounding may carry a probability across a clip, behind which the gradient is zero."""
    value, variance = trace.output, trace.variance
    if _kind(trace) == "shares":
        total = value.sum(axis=-1, keepdims=True)
        value = value / total
        summed = variance.sum(axis=-1, keepdims=True) / np.square(total)
        relative = summed + rounding.unit * (2 + value.shape[-1] / 3)
        variance = variance / np.square(total) + np.square(value) * relative
    near = np.zeros_like(value, bool)
    for edge in (_CLIP, 1 - _CLIP):
        # The edge itself is rounded too
        near |= rounding.uncertain(value - edge, variance + rounding.unit * edge**2)
    return near


def _jump(trace: LossTrace, unsure: Array) -> Array:
    """Square of what the gradient loses when the unsure outputs are clipped."""
    rows, kind = trace.rows, _kind(trace)
    if kind == "bits":
        clipped, _ = _clipped(trace.output)
        return unsure * np.square((1 - rows) / (1 - clipped) - rows / clipped) / trace.output[0].size ** 2
    if kind == "classes":
        clipped, _ = _clipped(trace.output)
        return unsure * np.square((clipped / clipped.sum(axis=-1, keepdims=True) - rows) / clipped)
    total = trace.output.sum(axis=-1, keepdims=True)
    clipped, _ = _clipped(trace.output / total)
    lost = unsure * np.square(rows / clipped)
    return (lost + (lost * np.square(clipped)).sum(axis=-1, keepdims=True)) / np.square(total)


def _value(rounding: Rounding, output: Array, per_example: Array) -> Array:
    """Error the value's own arithmetic adds: a log-sum-exp an example, then the mean."""
    count = len(per_example)
    shares = per_example / count
    largest = np.abs(output).reshape(count, -1).max(axis=1)
    logarithms = 4 * (np.square(largest) + np.square(per_example) + 1).sum() / count**2
    collected = rounding.sum_of(np.square(shares).sum(), shares.sum(), count)
    return np.asarray(collected + rounding.unit * logarithms)
