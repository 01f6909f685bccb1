"""Losses from scratch, each giving its value and its gradient; formulas of Keras' TensorFlow backend.

A loss whose network ends in softmax or sigmoid gets the LOGITS in front of it and is fused with it through
log-sum-exp, as Keras' TensorFlow path does (``_keras_logits`` in keras/src/backend/tensorflow/nn.py): a miss by 60
logits then costs 60, where probabilities clipped at 1e-7 could cost 16.1 at most.

Every function takes (output, targets) with one row an example and returns (losses, gradients): one loss an example,
shape (n,), and the gradient of each example's own loss, shape of output. Weights and the mean come in
:func:`mean_loss`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core_numpy import regression_losses
from core_numpy.contract import Array
from core_numpy.ops.softmax import log_softmax
from model_spec import losses as rules

_CLIP = 1e-7  # keras.config.epsilon()


def check_targets(outputs: Array, targets: Array, allow_classes: bool = False) -> None:
    """Refuse targets whose shape would only broadcast.

    Args:
        outputs: shape (n, ...).
        targets: the shape of outputs; or integer classes, shape (n,), where they are allowed.
        allow_classes: whether they are.

    Raises:
        ValueError: other shapes, or classes that are no integers.
    """
    if targets.ndim == 1 and allow_classes and outputs.ndim == 2:
        if len(targets) != len(outputs) or targets.dtype.kind not in "iu":
            raise ValueError(
                f"classes must be {len(outputs)} integers, one for each row of outputs {outputs.shape}, "
                f"got {targets.dtype} {targets.shape}; give integer classes or rows like the outputs"
            )
        # As unsigned numbers negative ones are larger than any class: one pass tells both
        if targets.size and targets.astype(np.int64, copy=False).view(np.uint64).max() >= outputs.shape[1]:
            raise ValueError(
                f"classes must be 0..{outputs.shape[1] - 1}, got {int(targets.min())}..{int(targets.max())}; "
                f"renumber them or give the network more outputs"
            )
    elif targets.shape != outputs.shape:
        raise ValueError(
            f"targets must have the shape of the outputs, {outputs.shape}, got {targets.shape}; "
            f"for outputs (n, 1) write targets[:, None]"
        )


def smoothed(targets: Array, smoothing: float, share: float) -> Array:
    """``targets * (1 - smoothing) + smoothing * share``; the targets themselves where there is no smoothing."""
    kind = targets.dtype.type
    return targets * kind(1 - smoothing) + kind(smoothing * share) if smoothing else targets


def softmax_cross_entropy(logits: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """``-sum(t * log_softmax(logits))``; its gradient is ``softmax(logits) * sum(t) - t``.

    Targets are integer classes (n,) or rows (n, classes).
    """
    check_targets(logits, targets, allow_classes=True)
    log_probabilities = log_softmax(logits)
    gradients = np.exp(log_probabilities)
    if targets.ndim == 1:
        picked = (np.arange(len(targets)), targets)
        gradients[picked] -= 1
        return -log_probabilities[picked], gradients
    targets = smoothed(targets, smoothing, 1 / targets.shape[1])
    gradients = gradients * targets.sum(axis=-1, keepdims=True) - targets
    return -(targets * log_probabilities).sum(axis=-1), gradients


def _clipped(probabilities: Array) -> tuple[Array, Array]:
    """The probabilities kept in [1e-7, 1 - 1e-7], and True where they already were (only these pass a gradient)."""
    kind = probabilities.dtype.type
    low, high = kind(_CLIP), kind(1 - _CLIP)
    return np.clip(probabilities, low, high), (probabilities >= low) & (probabilities <= high)


def categorical_cross_entropy(probabilities: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """Cross-entropy of outputs that are not a softmax's: clipped at 1e-7, as Keras.

    Rows as targets: the output is divided by its sum first. Integer classes: the clipped output's logarithm is taken
    for logits, which renormalises after the clip.
    """
    check_targets(probabilities, targets, allow_classes=True)
    if targets.ndim == 1:
        clipped, inside = _clipped(probabilities)
        losses, gradients = softmax_cross_entropy(np.log(clipped), targets)
        return losses, gradients / clipped * inside
    targets = smoothed(targets, smoothing, 1 / targets.shape[1])
    total = probabilities.sum(axis=-1, keepdims=True)
    shares = probabilities / total
    clipped, inside = _clipped(shares)
    losses = -(targets * np.log(clipped)).sum(axis=-1)
    dshares = -targets / clipped * inside
    return losses, (dshares - (dshares * shares).sum(axis=-1, keepdims=True)) / total


def _mean_over_outputs(losses: Array, gradients: Array) -> tuple[Array, Array]:
    outputs = losses.dtype.type(losses[0].size)
    return losses.reshape(len(losses), -1).mean(axis=1), gradients / outputs


def sigmoid_cross_entropy(logits: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """``max(z, 0) - z * t + log(1 + exp(-abs(z)))``, mean over outputs; its gradient is ``sigmoid(z) - t``.

    For z > 0 the gradient is taken as ``(1 - t) - sigmoid(-z)``: a right and confident output (t = 1) keeps its small
    gradient, which ``sigmoid(z) - 1`` would round to zero.
    """
    check_targets(logits, targets)
    targets = smoothed(targets, smoothing, 0.5)
    small = np.exp(-np.abs(logits))
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(small)
    # sigmoid(-abs(z)), never more than a half
    tail = small / (1 + small)
    return _mean_over_outputs(losses, np.where(logits >= 0, (1 - targets) - tail, tail - targets))


def binary_cross_entropy(probabilities: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """``-(t log p + (1 - t) log(1 - p))`` with p clipped at 1e-7, mean over outputs."""
    check_targets(probabilities, targets)
    targets = smoothed(targets, smoothing, 0.5)
    clipped, inside = _clipped(probabilities)
    losses = -(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped))
    return _mean_over_outputs(losses, ((1 - targets) / (1 - clipped) - targets / clipped) * inside)


def mean_squared_error(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``(output - target)**2``, mean over outputs."""
    check_targets(outputs, targets)
    difference = outputs - targets
    return _mean_over_outputs(np.square(difference), 2 * difference)


def half_sum_squared_error(outputs: Array, targets: Array) -> tuple[Array, Array]:
    """``0.5 * sum((output - target)**2)``: the course's form."""
    check_targets(outputs, targets)
    difference = outputs - targets
    half = difference.dtype.type(0.5)
    return half * np.square(difference).reshape(len(difference), -1).sum(axis=1), difference


LossFunction = Callable[[Array, Array], tuple[Array, Array]]


def checked(function: LossFunction) -> LossFunction:
    """The loss, refusing targets whose shape would only broadcast."""

    def of(outputs: Array, targets: Array) -> tuple[Array, Array]:
        check_targets(outputs, targets)
        return function(outputs, targets)

    return of


_SIMPLE: dict[type[rules.Loss], LossFunction] = {
    rules.MeanAbsoluteError: regression_losses.mean_absolute_error,
    rules.LogCosh: regression_losses.log_cosh,
    rules.KLDivergence: regression_losses.kl_divergence,
    rules.Hinge: regression_losses.hinge,
    rules.SquaredHinge: regression_losses.squared_hinge,
    rules.CategoricalHinge: regression_losses.categorical_hinge,
}
"""Losses without options."""


def takes_logits(loss: rules.Loss, last_activation: str | None) -> bool:
    """True where the loss is computed from what stands in front of the network's last activation.

    Keras hands a sigmoid's logits to categorical cross-entropy too (and a softmax's to the binary one); so do we.
    """
    crossentropy = isinstance(loss, rules.Crossentropy)
    return crossentropy and last_activation in {"softmax", "sigmoid"}


def loss_function(loss: rules.Loss, from_logits: bool) -> LossFunction:
    """Return the function for a loss; ``from_logits`` says what it will be given.

    Raises:
        ValueError: for a loss this backend does not know, with the list of those it knows.
    """
    match loss:
        case rules.CategoricalCrossentropy(_, smoothing):
            categorical = softmax_cross_entropy if from_logits else categorical_cross_entropy
            return lambda output, targets: categorical(output, targets, smoothing)
        case rules.BinaryCrossentropy(_, smoothing):
            binary = sigmoid_cross_entropy if from_logits else binary_cross_entropy
            return lambda output, targets: binary(output, targets, smoothing)
        case rules.MeanSquaredError():
            return mean_squared_error
        case rules.HalfSumSquaredError():
            return half_sum_squared_error
        case rules.Huber(delta):
            return checked(lambda outputs, targets: regression_losses.huber(outputs, targets, delta))
        case _ if type(loss) in _SIMPLE:
            return checked(_SIMPLE[type(loss)])
    raise ValueError(f"no loss for {loss!r}; known are {', '.join(rules.LOSSES)}")


def mean_loss(
    losses: Array, gradients: Array, denominator: int, sample_weight: Array | None = None
) -> tuple[float, Array]:
    """Return (loss, gradient) of the mean over a batch of ``denominator`` examples, weighted where weights are given.

    The denominator is an argument because a shard of a batch divides by the whole batch's size.
    """
    if sample_weight is not None:
        losses = losses * sample_weight
        gradients = gradients * sample_weight.reshape(-1, *[1] * (gradients.ndim - 1))
    count = losses.dtype.type(denominator)
    return float(losses.sum() / count), gradients / count
