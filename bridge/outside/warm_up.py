"""Layers that make or pile up state, and layers that take a batch in another way than rows: found by trying."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.outside.adapters import AdaptedLayer
from bridge.outside.layouts import image_to_layer
from core_numpy.contract import Array

LAZY = "makes its variables at the first forward: it was run once before they were set"


def warmed_up(layer: Any, x: Array, layout: str, calls: Callable[[Any], Any]) -> Any | None:
    """A copy of a layer after its first forward, or None where that cannot be run.

    Args:
        layer: the foreign layer, as it came.
        x: a batch, channels last.
        layout: of the layer's images.
        calls: gives what to call with the batch, of the copy.
    """
    try:
        trial = copy.deepcopy(layer)
        before = dict(vars(trial))
        kept = {name: _length(value) for name, value in before.items()}
        with np.errstate(all="ignore"):
            calls(trial)(image_to_layer(layout, x))
    except Exception:  # it will raise again, and be reported, where it is judged
        return None
    for name, length in kept.items():
        # What a forward appends to waits for a backward; the layer is to start afresh
        value = getattr(trial, name, None)
        if isinstance(value, (list, tuple)) and length is not None and len(value) > length:
            setattr(trial, name, type(value)(value[:length]))
        elif isinstance(value, dict):
            for key, entry in value.items():
                if isinstance(entry, list):
                    value[key] = []
    return trial


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, (list, tuple)) else None


def overwrites_its_variables(adapted: AdaptedLayer, weights: dict[str, Array], x: Array) -> bool:
    """True where the first forward throws away the variables that were set before it."""
    trial = adapted.on_copy()
    own = {name: weights[name] for name in adapted.parameter_shapes}
    if trial is adapted or not own:
        return False
    kept = trial.snapshot()
    try:
        with np.errstate(all="ignore"):
            trial.set_weights(own)
            trial.forward(x)
        held = trial.weights
        return any(name in held and not np.array_equal(held[name], value) for name, value in own.items())
    except Exception:  # it will raise again, and be reported, where it is judged
        return False
    finally:
        trial.restore(kept)


def find_the_batch(adapted: AdaptedLayer, weights: dict[str, Array], x: Array, y_shape: tuple[int, ...]) -> str | None:
    """How the layer takes a batch, where that is not as rows: found by trying, and set in ``adapted``.

    Returns:
        Words for the report, or None where rows (or nothing that was tried) fit.
    """
    if _gives(adapted, weights, x, y_shape):
        return None
    ways: list[tuple[str, str, bool]] = []
    if x.ndim == 2 and adapted.layout != "columns":
        ways.append(("an example a column, (features, examples)", "columns", False))
    ways.append(("one example at a time", adapted.layout, True))
    for words, layout, one_by_one in ways:
        before = adapted.layout, adapted.one_by_one
        adapted.layout, adapted.one_by_one = layout, one_by_one
        if _gives(adapted, weights, x, y_shape):
            return f"it takes {words}"
        adapted.layout, adapted.one_by_one = before
    return None


def _gives(adapted: AdaptedLayer, weights: dict[str, Array], x: Array, y_shape: tuple[int, ...]) -> bool:
    trial = adapted.on_copy()
    kept = trial.snapshot()
    try:
        with np.errstate(all="ignore"):
            trial.set_weights({name: weights[name] for name in adapted.parameter_shapes})
            return trial.forward(x).shape == (len(x), *y_shape)
    except Exception:  # it will raise again, and be reported, where it is judged
        return False
    finally:
        trial.restore(kept)


def finds_pullback(adapted: AdaptedLayer, x: Array) -> bool:
    """True where a layer without a backward returns one beside y, as (y, function of dy)."""
    if adapted.has_backward:
        return False
    trial = adapted.on_copy()
    kept = trial.snapshot()
    try:
        with np.errstate(all="ignore"):
            trial.forward(x)
        return trial.calling.returned_a_function
    except Exception:  # it will raise again, and be reported, where it is judged
        return False
    finally:
        trial.restore(kept)


def hint_of_layout(adapted: AdaptedLayer, weights: dict[str, Array], x: Array, y_shape: tuple[int, ...]) -> str | None:
    """Words for a layer that takes images channels first where they were given channels last, or None."""
    if adapted.layout != "NHWC" or x.ndim != 4 or _gives(adapted, weights, x, y_shape):
        return None
    other = adapted.on_copy()
    other.layout = "NCHW"
    if not _gives(other, weights, x, y_shape):
        return None
    return 'it takes images channels first, (examples, channels, height, width): give layout="NCHW"'
