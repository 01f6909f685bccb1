"""Guards on targets: classes for cross-entropy, else values shaped like the output."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_spec import losses
from model_spec.inputs import Array, check_row_count, floating_dtype, numeric, refuse_nonfinite


def check_classes(y: Any, examples: int, classes: int, dtype: Any, *, name: str = "y") -> Array:
    """Return labels as int64 classes, shape (examples,), or as rows, shape (examples, classes): whichever form came."""
    array = numeric(name, y)
    if array.ndim == 2 and array.shape[1] == 1 and classes > 1:
        array = array[:, 0]
    if array.ndim == 1:
        check_row_count(array, examples, name)
        return _check_integer_classes(array, classes, name)
    if array.ndim != 2 or array.shape[1] != classes:
        raise ValueError(
            f"{name} must be integer classes of shape ({examples},) or one-hot rows of shape ({examples}, {classes}), "
            f"got shape {array.shape}"
        )
    check_row_count(array, examples, name)
    refuse_nonfinite(name, array)
    sums = array.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((np.abs(sums - 1) > 1e-3) | (array < 0).any(axis=1))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"each row of {name} must be probabilities that add up to 1, got sum {sums[row]:g} at index {row}; "
            f"one-hot encode the classes, or give them as integers"
        )
    return array.astype(floating_dtype(dtype))


def _check_integer_classes(array: Array, classes: int, name: str) -> Array:
    if array.dtype.kind == "f":
        refuse_nonfinite(name, array)
        fractional = np.flatnonzero(array != np.floor(array))
        if fractional.size:
            at = int(fractional[0])
            raise ValueError(
                f"labels must be whole numbers in 0..{classes - 1}, got {array[at]:g} at index {at}; "
                f'for values instead of classes train with loss="mean_squared_error"'
            )
        inside = not array.size or bool(array.min() >= 0 and array.max() < classes)
    else:
        # As unsigned numbers negative ones are larger than any class: one pass tells both
        inside = not array.size or bool(array.astype(np.int64, copy=False).view(np.uint64).max() < classes)
    if not inside:
        at = int(np.flatnonzero((array < 0) | (array >= classes))[0])
        raise ValueError(
            f"labels must be 0..{classes - 1}, got {int(array[at])} at index {at}; "
            f"renumber the labels or give the network more outputs"
        )
    return array.astype(np.int64)


def check_y(
    y: Any, examples: int, output_shape: tuple[int, ...], loss: losses.Loss, dtype: Any, *, name: str = "y"
) -> Array:
    """Return targets in the form the loss needs: classes for cross-entropy, else values shaped like the output."""
    if losses.takes_classes(loss):
        if len(output_shape) != 1:
            raise ValueError(
                f"{type(loss).__name__} needs a network whose output is one row of classes, got output shape "
                f"{output_shape}; end the network with Flatten and Dense"
            )
        targets = check_classes(y, examples, output_shape[0], dtype, name=name)
        if targets.ndim == 1 and loss.label_smoothing:  # type: ignore[attr-defined]
            targets = np.eye(output_shape[0], dtype=floating_dtype(dtype))[targets]
        return targets
    array = numeric(name, y)
    if array.ndim == 1 and output_shape == (1,):
        array = array[:, None]
    if array.ndim == 1 and array.dtype.kind in "bui" and len(output_shape) == 1:
        array = np.eye(output_shape[0])[_check_integer_classes(array, output_shape[0], name)]
    if array.shape[1:] != tuple(output_shape) or array.ndim != len(output_shape) + 1:
        raise ValueError(
            f"{name} must have the shape of the network's output, ({examples}, *{tuple(output_shape)}), "
            f"got {array.shape}"
        )
    check_row_count(array, examples, name)
    refuse_nonfinite(name, array)
    if isinstance(loss, losses.BinaryCrossentropy) and ((array < 0) | (array > 1)).any():
        raise ValueError(f"{name} must lie in 0..1 for binary cross-entropy, got {array.min():g}..{array.max():g}")
    if isinstance(loss, losses.KLDivergence) and ((array < 0) | (array > 1)).any():
        raise ValueError(f"{name} must be probabilities for KLDivergence, got {array.min():g}..{array.max():g}")
    if isinstance(loss, (losses.Hinge, losses.SquaredHinge)):
        bits, signs = (array == 0) | (array == 1), np.abs(array) == 1
        if not (bits.all() or signs.all()):
            raise ValueError(
                f"{name} must be -1 and 1 throughout, or 0 and 1, for {type(loss).__name__}, "
                f"got {array[~(bits | signs)][0] if not (bits | signs).all() else 'both -1 and 0'}"
            )
    if isinstance(loss, losses.CategoricalHinge) and not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{name} must be one-hot rows for CategoricalHinge, got {array.min():g}..{array.max():g}")
    return array.astype(floating_dtype(dtype))
