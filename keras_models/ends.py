"""The ends of Keras models with several inputs or outputs as layers, so that such a model runs from row to row.

A specification holds all inputs side by side in one row, and all outputs; see ``model_spec.layers.ends``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_models.runtime import keras
from model_spec import ModelSpec
from model_spec.names import shown


class InputPart(keras.layers.Layer):
    """Values ``start`` to ``start + size`` of a row, in another shape."""

    def __init__(self, shape: tuple[int, ...], start: int, name: str) -> None:
        super().__init__(name=name, autocast=False)
        self.shape, self.start, self.size = shape, start, int(np.prod(shape))

    def call(self, x: Any) -> Any:
        """(n, total) -> (n, *shape)."""
        return keras.ops.reshape(x[:, self.start : self.start + self.size], (-1, *self.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Of its part."""
        return (input_shape[0], *self.shape)


class Outputs(keras.layers.Layer):
    """All values of several tensors side by side."""

    def __init__(self, keys: tuple[str, ...] | None, name: str) -> None:
        super().__init__(name=name, autocast=False)
        self.keys = keys

    def call(self, x: Any) -> Any:
        """(n, ...), (n, ...) -> (n, total)."""
        return keras.ops.concatenate([keras.ops.reshape(one, (-1, int(np.prod(one.shape[1:])))) for one in x], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Of the row."""
        return (input_shape[0][0], sum(int(np.prod(shape[1:])) for shape in input_shape))


ENDS = (InputPart, Outputs)


def named_inputs(model: Any) -> dict[str, Any]:
    """{name: tensor} of a functional model's inputs: by their keys where it was built with a dict, else by their names.

    Raises:
        ValueError: inputs that are nested.
    """
    return _named(model, "input", model._inputs_struct, model.inputs)


def shapes_of_inputs(model: Any) -> dict[str, tuple[int | None, ...]]:
    """{name: shape without the batch axis, None for sizes left open} of a built model's inputs."""
    several = len(model.inputs) > 1
    named = named_inputs(model) if several else {str(model.inputs[0].name): model.inputs[0]}
    return {name: tuple(tensor.shape[1:]) for name, tensor in named.items()}


def keys_of_outputs(model: Any) -> tuple[str, ...] | None:
    """What a functional model's outputs are called where it gives a dict; None where it gives a list.

    Raises:
        ValueError: outputs that are nested.
    """
    names = _named(model, "output", model._outputs_struct, model.outputs)
    return tuple(names) if isinstance(model._outputs_struct, dict) else None


def note_of_one_output(model: Any) -> tuple[str, ...]:
    """That a model gives its one output in a dict, which its specification does not: a sentence, or none."""
    struct = getattr(model, "_outputs_struct", None)
    if not isinstance(struct, dict) or len(struct) > 1:
        return ()
    key = shown(str(next(iter(struct))))
    return (f"Keras gives the output of {shown(model.name)} in a dict of the one key {key}; here it is the array",)


def _named(model: Any, kind: str, struct: Any, tensors: list[Any]) -> dict[str, Any]:
    members = list(struct.values()) if isinstance(struct, dict) else struct
    if isinstance(members, (list, tuple)) and any(isinstance(member, (list, tuple, dict)) for member in members):
        raise ValueError(f"model {model.name!r} nests its {kind}s; supported are a list and a dict of tensors")
    if isinstance(struct, dict):
        return {str(key): struct[key] for key in sorted(struct)}
    return {str(tensor._keras_history.operation.name): tensor for tensor in tensors}


def as_given(model: Any, parts: list[Any]) -> Any:
    """The inputs in the structure that a model was built with."""
    if len(parts) == 1 and not isinstance(getattr(model, "_inputs_struct", None), dict):
        return parts[0]
    return keras.tree.pack_sequence_as(model._inputs_struct, parts)


def of_row(model: Any, spec: ModelSpec) -> Callable[..., Any]:
    """A function of a batch (x, y, ...) that takes the row x apart for a model with several inputs."""

    def of(x: Any, *rest: Any) -> Any:
        parts = [
            keras.ops.reshape(x[:, part.start : part.start + part.size], (-1, *part.shape)) for part in spec.input_parts
        ]
        # tf.data takes a list for one tensor
        return keras.tree.lists_to_tuples(as_given(model, parts)), *rest

    return of


def side_by_side(outputs: Any) -> np.ndarray:
    """The outputs of a model, a list or a dict, as one row, (n, total)."""
    arrays = [np.asarray(one) for one in keras.tree.flatten(outputs)]
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)
