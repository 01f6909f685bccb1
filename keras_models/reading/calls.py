"""The calls of a foreign Keras model's layers, held against what a specification can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from keras_models.computing_order import OperationCall, computing_order
from keras_models.ends import ENDS
from keras_models.layers.merging import MERGES
from keras_models.reading.operations import as_layer, caller


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
            that is used twice or takes several inputs.
    """
    calls = []
    seen: set[int] = set()
    for layer, sources in computing_order(model, input_shapes):
        if isinstance(layer, OperationCall):
            calls.append(ReadableCall(as_layer(layer), sources, caller(layer)))
            continue
        if isinstance(layer, ENDS):
            calls.append(ReadableCall(layer, sources))
            continue
        if id(layer) in seen:
            raise ValueError(
                f"layer {layer.name!r} is used more than once, and a specification has no shared weights; "
                f"make a layer of its own for every place"
            )
        if len(sources) != 1 and type(layer) not in MERGES:
            raise ValueError(
                f"layer {layer.name!r} ({type(layer).__name__}) takes {len(sources)} inputs; "
                f"supported with several are {', '.join(kind.__name__ for kind in MERGES)}"
            )
        seen.add(id(layer))
        calls.append(ReadableCall(layer, sources))
    return calls
