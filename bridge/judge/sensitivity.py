"""How small a fault the judge still sees: one entry of one gradient is changed until the verdict turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bridge.judge.bounds import Expected
from bridge.judge.tensor import AGREEING, Place, judge
from bridge.judge.truth import true_loss_gradients, truth_of
from bridge.weights import copy_weights, random_weights
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import ModelSpec, losses

_LARGEST_FACTOR = 1e6


@dataclass(frozen=True)
class Sensitivity:
    """The smallest relative fault that is caught in one entry of a gradient.

    Attributes:
        tensor: the parameter whose gradient it is, e.g. "conv2d/kernel".
        dtype: precision of both sides.
        largest_entry: where the fault is planted in the entry of the largest magnitude.
        median_entry: where it is planted in an entry of median magnitude.
        entries: size of the tensor.
    """

    tensor: str
    dtype: str
    largest_entry: float
    median_entry: float
    entries: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain strings and numbers."""
        return asdict(self)


def sensitivities(spec: ModelSpec, x: Any, y: Any, seed: int = 0, dtype: str = "float32") -> list[Sensitivity]:
    """Plant ever smaller faults in the NumPy side's loss gradients (training mode), and see which are still caught.

    Args:
        spec: the network.
        x: inputs (examples, *input shape).
        y: targets in the form the loss needs.
        seed: of the random variables and dropout masks.
        dtype: "float32" or "float64".

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> all(each.median_entry < 1e-4 for each in sensitivities(spec, x, y))
        True
    """
    from keras_models import KerasModel

    ours, theirs = (kind(spec, seed, dtype, dropout_seed=seed) for kind in (NumpyModel, KerasModel))
    ours.set_weights(random_weights(spec, seed))
    copy_weights(ours, theirs)
    x, y = np.asarray(x, dtype), np.asarray(y)
    found, reference = (side.loss_and_gradients(x, y, training=True).parameters for side in (ours, theirs))
    expected = true_loss_gradients(truth_of(ours, x, training=True), y, losses.get(None)).parameters
    return [_sensitivity(name, found[name], reference[name], expected[name], dtype) for name in found]


def _sensitivity(name: str, found: Array, reference: Array, expected: Expected, dtype: str) -> Sensitivity:
    """Smallest faults for one tensor, both of whose sides agree."""
    expected = expected.with_correlations()
    magnitudes = np.abs(found).reshape(-1)
    present = np.flatnonzero(magnitudes)
    order = present[np.argsort(magnitudes[present])]
    if not len(order):
        raise ValueError(f"the gradient of {name} is zero everywhere, so no relative fault can be planted in it")
    largest, median = (_smallest_caught(found, reference, expected, at, dtype, name) for at in _picked(order))
    return Sensitivity(name, dtype, largest, median, found.size)


def _picked(order: Array) -> Iterable[int]:
    return int(order[-1]), int(order[len(order) // 2])


def _smallest_caught(found: Array, reference: Array, expected: Expected, at: int, dtype: str, name: str) -> float:
    """Bisect the relative fault, on a logarithmic scale, to two digits."""
    place = Place(dtype, "training", "eager", "loss gradient")

    def is_caught(fault: float) -> bool:
        changed = np.asarray(found, np.float64).copy()
        changed.reshape(-1)[at] *= 1 + fault
        return judge(changed, reference, expected, place, name, name).verdict not in AGREEING

    missed, caught = float(np.finfo(dtype).eps), _LARGEST_FACTOR
    if not is_caught(caught):
        return float("inf")
    while caught / missed > 1.01:
        middle = float(np.sqrt(missed * caught))
        missed, caught = (missed, middle) if is_caught(middle) else (middle, caught)
    return caught
