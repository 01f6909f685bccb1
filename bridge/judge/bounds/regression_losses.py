"""Rounding in losses of values and margins: what the output's error does to the gradient, and what it adds itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bridge.judge.rounding import SAFETY, Rounding
from core_numpy.contract import Array
from core_numpy.ops.activations import sigmoid
from model_spec import losses as rules

_CLIP = 1e-7


class GradientError(NamedTuple):
    """Error of the gradient of one example's loss, before the mean over outputs and batch; shapes of the output.

    Attributes:
        variance: carried from the output and added by the loss.
        jump: square of what the other side of a kink changes.
        unsure: True where rounding decides the side.
    """

    variance: Array
    jump: Array
    unsure: Array


def _smooth(variance: Array) -> GradientError:
    return GradientError(variance, np.zeros_like(variance), np.zeros_like(variance, bool))


def _absolute(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    unsure = rounding.uncertain(y - t, variance + rounding.unit * np.square(t))
    return GradientError(np.zeros_like(y), 4.0 * unsure, unsure)


def _huber(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    difference, delta = y - t, rule.delta  # type: ignore[attr-defined]
    moved = variance + rounding.unit * (np.square(t) + np.square(difference))
    linear = (np.abs(difference) > delta) & ~rounding.uncertain(np.abs(difference) - delta, moved)
    return _smooth(np.where(linear, rounding.unit * delta**2, moved))


def _log_cosh(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    slope = np.tanh(y - t)
    moved = variance + rounding.unit * (np.square(t) + np.square(y - t))
    # 1 - 2 sigmoid(-2 d): near d = 0 the two cancel
    share = 2 * sigmoid(-2 * (y - t))
    return _smooth(np.square(1 - slope**2) * moved + rounding.function(share) + 2 * rounding.unit)


def _divergence(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    shares, clipped = np.clip(t, _CLIP, 1), np.clip(y, _CLIP, 1)
    slope = shares / clipped
    unsure = rounding.uncertain(y - _CLIP, variance + rounding.unit * _CLIP**2) | rounding.uncertain(y - 1, variance)
    inside = (y == clipped) | unsure
    # A small probability may be off by a large part of itself
    nearest = np.maximum(clipped - SAFETY * np.sqrt(variance), _CLIP)
    carried = np.square(shares / (clipped * nearest)) * variance
    return GradientError((carried + 8 * rounding.unit * np.square(slope)) * inside, np.square(slope) * unsure, unsure)


def _signs(t: Array) -> Array:
    return np.where(t == 0, -1.0, t)


def _hinge(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    signs = _signs(t)
    unsure = rounding.uncertain(1 - signs * y, variance + rounding.unit)
    return GradientError(np.zeros_like(y), 1.0 * unsure, unsure)


def _squared_hinge(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    margins = 1 - _signs(t) * y
    moved = variance + rounding.unit * (1 + np.square(y) + np.square(margins))
    open_side = (margins > 0) | rounding.uncertain(margins, moved)
    return _smooth(4 * (moved + rounding.unit * np.square(margins)) * open_side)


def _categorical_hinge(rounding: Rounding, rule: rules.Loss, y: Array, variance: Array, t: Array) -> GradientError:
    others = (1 - t) * y
    largest = others.max(axis=-1, keepdims=True)
    moved = variance + rounding.unit * np.square(y)
    margins = largest - (t * y).sum(axis=-1, keepdims=True) + 1
    near = largest - others <= SAFETY * np.sqrt(2 * (moved + moved.max(axis=-1, keepdims=True)))
    tied = near & (near.sum(axis=-1, keepdims=True) > 1)
    collected = moved.sum(axis=-1, keepdims=True) + rounding.unit * (1 + np.square(margins))
    on_margin = rounding.uncertain(margins, collected)
    slopes = np.where(near, 1 - t, 0) - t
    open_side = (margins > 0) | on_margin
    jump = np.square(1 - t) * (tied & open_side) + np.square(slopes) * on_margin
    return GradientError(2 * rounding.unit * np.square(slopes), jump, jump > 0)


RULES: dict[type[rules.Loss], Callable[[Rounding, rules.Loss, Array, Array, Array], GradientError]] = {
    rules.MeanAbsoluteError: _absolute,
    rules.Huber: _huber,
    rules.LogCosh: _log_cosh,
    rules.KLDivergence: _divergence,
    rules.Hinge: _hinge,
    rules.SquaredHinge: _squared_hinge,
    rules.CategoricalHinge: _categorical_hinge,
}
"""Losses that are judged by these formulas, of output, its error's variance, and targets."""

_OVER_LAST_AXIS = (rules.KLDivergence, rules.CategoricalHinge)


def gradient_error(
    rounding: Rounding, rule: rules.Loss, output: Array, variance: Array, targets: Array
) -> GradientError:
    """Error of the gradient of each example's loss."""
    found = RULES[type(rule)](rounding, rule, output, variance, targets)
    positions = output[0].size // (output.shape[-1] if isinstance(rule, _OVER_LAST_AXIS) else 1)
    return GradientError(found.variance / positions**2, found.jump / positions**2, found.unsure)
