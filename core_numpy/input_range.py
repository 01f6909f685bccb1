"""Which numbers a network wants its inputs to run through: 0 to 1, or the 0 to 255 (or 65535) of raw pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from model_spec import BatchNormalization, ModelSpec, Rescaling

_SMALLEST_FACTOR = 0.02
"""A Rescaling by less is made for pixels, not for numbers around 1: Keras' examples take 1/255 and 1/127.5."""

_PIXELS = (1.0, 255.0, 65535.0)
"""The largest value of inputs that were scaled, and of raw pictures in 8 and in 16 bits."""

_OF_INPUT_DTYPES = {"bool": 1.0, "uint16": 65535.0, "int32": 255.0, "float16": None}


class InputRange(NamedTuple):
    """The range a network's inputs are expected in, and what says so.

    Attributes:
        largest: 1, 255 or 65535; the smallest is 0.
        reason: half a sentence, or "" where nothing in the network says anything: then it is 1, as is usual.
    """

    largest: float
    reason: str


def input_range(spec: ModelSpec, weights: Mapping[str, np.ndarray] | None = None) -> InputRange:
    """The range of inputs of a network, by what it does with them before its first layer with variables.

    A Rescaling there (wherever it stands) tells the range it is made for; so do integer inputs, which fractions would
    be cut off from; and a first BatchNormalization knows by its moving statistics what it was trained on.

    Args:
        spec: the network.
        weights: its variables, {"batch_normalization/moving_mean": array, ...}.

    >>> from model_spec import Dense
    >>> input_range(ModelSpec("m", (4,), (Rescaling(1 / 255), Dense(2)))).largest
    255.0
    """
    if spec.input_dtype not in (None, "float16"):
        largest = _OF_INPUT_DTYPES.get(str(spec.input_dtype), 255.0)
        return InputRange(largest or 1.0, f"its inputs are {spec.input_dtype}")
    scale, scaling = 1.0, None
    for at, (layer, before) in enumerate(zip(spec.layers, spec.input_shapes, strict=True)):
        if spec.sources[at] != (at,):  # what stands behind the first branch says nothing of the input alone
            break
        if isinstance(layer, Rescaling):
            scale, scaling = scale * _largest(layer.scale), layer
        elif isinstance(layer, BatchNormalization) and weights is not None:
            reach = _reach(str(layer.name), weights)
            if scaling is None and reach is not None:
                largest = next((pixels for pixels in _PIXELS if reach <= 4 * pixels), _PIXELS[-1])
                if largest > 1:
                    return InputRange(largest, f"{layer.name!r} was trained on values up to about {reach:.0f}")
            break
        elif layer.parameter_shapes(before) or layer.state_shapes(before):
            break
    if scaling is None or scale == 0:
        return InputRange(1.0, "")
    largest = next((pixels for pixels in _PIXELS if abs(scale) * pixels >= _SMALLEST_FACTOR), _PIXELS[-1])
    return InputRange(largest, f"{scaling.name!r} multiplies them by {scale:.4g}")


def _largest(scale: float | tuple[float, ...]) -> float:
    """The factor, or the largest of one for each channel."""
    return max(scale, key=abs) if isinstance(scale, tuple) else scale


def _reach(name: str, weights: Mapping[str, np.ndarray]) -> float | None:
    """How far the values went that a BatchNormalization was trained on; None where it was not trained."""
    mean, variance = weights.get(f"{name}/moving_mean"), weights.get(f"{name}/moving_variance")
    if mean is None or variance is None or (not mean.any() and (variance == 1).all()):
        return None
    return float((np.abs(mean) + 2 * np.sqrt(np.maximum(variance, 0))).max())
