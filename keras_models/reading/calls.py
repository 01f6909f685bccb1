"""The calls of a foreign Keras model's layers, held against what a specification can say."""

from __future__ import annotations

from typing import Any

from keras_models.computing_order import Call, computing_order
from keras_models.layers.merging import MERGES
from keras_models.runtime import keras


def readable_calls(model: Any) -> list[Call]:
    """The calls of a built ``keras.Sequential`` or functional model in computing order; the last gives its output.

    Raises:
        ValueError: another kind of model, one that has not been built, several inputs or outputs, operations that are
            no layers, a layer that is used twice or takes several inputs.
    """
    calls = computing_order(model)
    seen: set[int] = set()
    for layer, sources in calls:
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                f"operation {layer.name!r} ({type(layer).__name__}) is no layer; supported are layers, "
                f"so write keras.layers.Activation('relu') in place of keras.ops.relu"
            )
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
    return calls
