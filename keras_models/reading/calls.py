"""The calls of a foreign Keras model's layers, held against what a specification can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from keras_models.computing_order import OperationCall, computing_order
from keras_models.ends import ENDS
from keras_models.layers.merging import MERGES, PRODUCT_OF_VECTORS
from keras_models.reading.operations import as_layer, caller
from keras_models.runtime import keras
from model_spec import BatchNormalization, LayerSpec


class ReadableCall(NamedTuple):
    """One call of a layer, or of an operation with a layer that stands for it.

    Attributes:
        layer: the layer, or the stock layer that computes what a bare operation computes.
        sources: as in :class:`Call`.
        operation: the bare operation itself, as a function of the tensors it reads; None of a layer.
    """

    layer: Any
    sources: tuple[int, ...]
    operation: Callable[[Sequence[Any]], Any] | None = None


def readable_calls(model: Any, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> list[ReadableCall]:
    """The calls of a built ``keras.Sequential`` or functional model in computing order; the last gives its output.

    Raises:
        ValueError: another kind of model, one that has not been built, an operation that no layer stands for, a layer
            that takes several inputs.
    """
    calls = []
    for layer, sources, _ in computing_order(model, input_shapes):
        if isinstance(layer, OperationCall):
            calls.append(ReadableCall(as_layer(layer), sources, caller(layer)))
            continue
        if isinstance(layer, ENDS):
            calls.append(ReadableCall(layer, sources))
            continue
        if len(sources) != 1 and type(layer) not in MERGES:
            known = f"supported with several are {', '.join(kind.__name__ for kind in MERGES)}"
            known = PRODUCT_OF_VECTORS if isinstance(layer, keras.layers.Dot) else known
            raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}) takes {len(sources)} inputs; {known}")
        calls.append(ReadableCall(layer, sources))
    return calls


def without_moving_statistics(layers: Sequence[LayerSpec]) -> tuple[list[LayerSpec], list[str]]:
    """The layers, batch normalizations that are used twice frozen, and a sentence for each of these.

    Their statistics would move once for each use, in an order that a specification does not know.
    """
    shared = {layer.weights_of for layer in layers}
    moving = {layer.name for layer in layers if isinstance(layer, BatchNormalization) and layer.trainable} & shared
    frozen = [
        dataclasses.replace(layer, trainable=False) if moving & {layer.name, layer.weights_of} else layer
        for layer in layers
    ]
    notes = [
        f"{layer.name} (BatchNormalization) is used more than once and read as frozen: its statistics do not move"
        for layer in layers
        if layer.name in moving
    ]
    return frozen, notes
