"""A foreign layer as the specification has it in its place: its name, what it reads, axes of channels-last images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_models.layers import read_layer
from model_spec import LayerSpec
from model_spec.graph import ALWAYS_INPUT, INPUT
from model_spec.layers import Concatenate, Dropout

_CHANNELS_LAST = {1: 3, 2: 1, 3: 2}
"""Axes of channels-first images, the batch being axis 0, and where they are in channels-last ones."""


def read_in_place(layer: Any, at: int, names: Sequence[str], sources: Sequence[int], is_turned: bool) -> LayerSpec:
    """The layer of model_spec in one place of a network.

    Args:
        layer: the Keras layer.
        at: its position among all.
        names: of all layers.
        sources: positions of the values it reads: 0 is the network's input, k + 1 the output of layer k.
        is_turned: whether these are channels-first images.
    """
    found = read_layer(layer, names[at])
    if isinstance(found, Concatenate) and is_turned:
        found = dataclasses.replace(found, axis=_CHANNELS_LAST.get(found.axis % 4, found.axis))
    if isinstance(found, Dropout) and is_turned and found.noise_shape is not None:
        batch, channels, *positions = found.noise_shape
        found = dataclasses.replace(found, noise_shape=(batch, *positions, channels))
    if tuple(sources) == (at,):
        return found
    values = [ALWAYS_INPUT if INPUT in names else INPUT, *names]
    return dataclasses.replace(found, inputs=tuple(values[source] for source in sources))
