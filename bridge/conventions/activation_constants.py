"""Other constants in activation functions, solved for: slope, alpha, steepness, the ends of a clipped argument."""

from __future__ import annotations

import numpy as np

from bridge.conventions.other_activation import Back, OtherActivation, Value, claimed_activation
from bridge.conventions.outcome import Given, Outcome
from core_numpy.contract import Array
from core_numpy.ops.activations import FUNCTIONS
from model_spec import layers as specs


def _factor(of: Array, found: Array) -> float:
    """k of the least squares of found - k of."""
    return float(np.vdot(of, found) / max(float(np.vdot(of, of)), 1e-300))


def _leaky(slope: float) -> tuple[Value, Back]:
    return lambda x: np.where(x > 0, x, slope * x), lambda x, y, dy: np.where(x > 0, dy, slope * dy)


def other_slope(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The slope left of zero, solved for."""
    if claimed_activation(given, "leaky_relu", "relu") is None or found["y"].shape != given.into_last.shape:
        return None
    x, y = given.into_last, found["y"]
    left = x < 0
    slope = _factor(x[left], y[left])
    if not 0 < abs(slope) < 10:
        return None
    claimed = 0.2 if claimed_activation(given, "leaky_relu") else 0
    words = f"its slope left of zero is {slope:.6g} in place of {claimed:g}"
    if claimed and abs(slope - claimed) < 1e-12:
        words = "its slope is 0.2 in float64; Keras keeps it rounded to float32, 0.20000000298"
    return words, given.with_last(OtherActivation(given.last.spec, *_leaky(slope)))


def other_slope_of_the_layer(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The slope of a LeakyReLU layer, solved for."""
    spec = given.last.spec
    if not isinstance(spec, specs.LeakyReLU) or found["y"].shape != given.x.shape:
        return None
    left = given.x < 0
    slope = _factor(given.x[left], found["y"][left])
    if not np.isfinite(slope) or abs(slope - spec.negative_slope) <= 1e-7 * abs(spec.negative_slope):
        return None
    digits = ".6g" if f"{slope:.6g}" != f"{spec.negative_slope:.6g}" else ".12g"
    return f"its slope left of zero is {slope:{digits}} in place of {spec.negative_slope:g}", given.with_last(
        OtherActivation(spec, *_leaky(slope), given.last)
    )


def other_slope_behind(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The slope that backward takes, solved for."""
    dx = found.get("gradient of x")
    is_claimed = claimed_activation(given, "leaky_relu", "relu", "elu") or isinstance(given.last.spec, specs.LeakyReLU)
    if not is_claimed or dx is None or dx.shape != given.dy.shape:
        return None
    if len(given.network.steps) > 1:
        return None
    left = given.x < 0
    slope = _factor(given.dy[left], dx[left])
    if abs(slope - 1) < 1e-9:
        return None  # the derivative is missing altogether
    return (
        f"backward has the slope {slope:.6g} left of zero",
        given.with_last(OtherActivation(given.last.spec, None, _leaky(slope)[1], given.last)),
    )


def other_alpha(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The alpha of an elu, solved for."""
    x, y = given.into_last, found["y"]
    if claimed_activation(given, "elu") is None or y.shape != x.shape:
        return None
    unit = np.expm1(np.minimum(x, 0))
    alpha = _factor(unit, np.where(x < 0, y, 0))
    return f"its alpha is {alpha:.6g} in place of 1", given.with_last(
        OtherActivation(
            given.last.spec,
            lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
            lambda x, y, dy: np.where(x > 0, dy, dy * alpha * np.exp(np.minimum(x, 0))),
        )
    )


def other_steepness(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """f(k x) in place of f(x), k solved for."""
    x, y = given.into_last, found["y"]
    name = claimed_activation(given, "sigmoid", "tanh", "softmax")
    if name is None or y.shape != x.shape:
        return None
    with np.errstate(all="ignore"):
        if name == "softmax":
            left, right = np.log(y[..., :1] / y[..., 1:]), x[..., :1] - x[..., 1:]
        else:
            left, right = (np.log(y / (1 - y)) if name == "sigmoid" else np.arctanh(y)), x
        usable = np.isfinite(left)
        k = _factor(right[usable], left[usable])
    if not np.isfinite(k) or abs(k) < 1e-6 or abs(k - 1) < 1e-9:
        return None
    inner = FUNCTIONS[name]
    return f"it computes {name}({k:.6g} x) in place of {name}(x)", given.with_last(
        OtherActivation(
            given.last.spec, lambda x: inner.forward(k * x), lambda x, y, dy: k * inner.backward(k * x, y, dy)
        )
    )


def clipped_argument(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """f(clip(x, -c, c)), c solved for."""
    x, y = given.into_last, found["y"]
    name = claimed_activation(given, "sigmoid", "tanh", "softplus", "relu", "elu", "leaky_relu")
    if name is None or y.shape != x.shape or not np.isfinite(y).all():
        return None
    right = FUNCTIONS[name].forward(x)
    wrong = np.abs(y - right) > 1e-9 * np.abs(right).max()
    if not wrong.any():
        return None
    # The ends are where the values stop to change
    low, high = float(y.min()), float(y.max())
    with np.errstate(all="ignore"):
        bounds = {
            "sigmoid": (np.log(low / (1 - low)), np.log(high / (1 - high))),
            "softplus": (np.log(np.expm1(low)), high if high > 30 else np.log(np.expm1(high))),
            "tanh": (np.arctanh(low), np.arctanh(high)),
        }.get(name, (low, high))
    low, high = (float(each) for each in bounds)
    low, high = (low if np.isfinite(low) else -np.inf), (high if np.isfinite(high) else np.inf)

    def value(x: Array) -> Array:
        return FUNCTIONS[name].forward(np.clip(x, low, high))

    ends = f"{low:.4g} and {high:.4g}" if name != "relu" else f"{high:.4g}"
    return f"its argument is cut off at {ends}", given.with_last(
        OtherActivation(given.last.spec, value, lambda x, y, dy: FUNCTIONS[name].backward(np.clip(x, low, high), y, dy))
    )
