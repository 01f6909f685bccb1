"""Several inputs or outputs of a network: named arrays as the one row they travel in, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_spec.model import ModelSpec
from model_spec.names import shown
from model_spec.shapes import Shape, element_count

Array = np.ndarray


def refuse_several_outputs(spec: ModelSpec, what: str) -> None:
    """Refuse what takes one output.

    Raises:
        ValueError: says so.
    """
    if spec.outputs is not None:
        raise ValueError(
            f"{what} takes a network with one output, and {spec.name!r} has {len(spec.output_names)}: "
            f"{', '.join(spec.output_names)}; a loss for each of several outputs is not supported - take one output at "
            f"a time, or pull cotangents back with pullback"
        )


def row_of_inputs(x: Any, spec: ModelSpec, name: str = "x") -> Any:
    """The inputs side by side, (examples, sum of sizes), of a network with several; of one input the array.

    Args:
        x: a list of arrays in the order of the inputs, or a dict of them by name; or such a row. Of one input, whose
            name is not kept, also a dict or a list of the one array, as Keras takes them.
        spec: the network.
        name: of x, for errors.

    Raises:
        ValueError: other inputs than the network has, or of other shapes.
    """
    parts = {str(part.name): part.shape for part in spec.input_parts}
    return _row(x, parts, name, "input") if parts else _one(x, spec)


def _one(x: Any, spec: ModelSpec) -> Any:
    """The array in a dict or a list of one array; anything else as it is."""
    if not isinstance(x, (Mapping, list, tuple)) or len(x) != 1:
        return x
    (inside,) = x.values() if isinstance(x, Mapping) else x
    # A list may as well be one example
    whole = isinstance(x, Mapping) or getattr(inside, "ndim", 0) == len(spec.input_shape) + 1
    return inside if whole else x


def row_of_outputs(given: Any, spec: ModelSpec, name: str = "the prediction") -> Any:
    """The same of outputs, or of one value for each output, such as cotangents."""
    return given if spec.outputs is None else _row(given, spec.shapes_of_outputs, name, "output")


def outputs_of_row(row: Array, spec: ModelSpec) -> Any:
    """The outputs of a row of them, as Keras gives them: a list, or a dict; a single output as it is."""
    if spec.outputs is None:
        return row
    found, start = [], 0
    for shape in spec.shapes_of_outputs.values():
        size = element_count(shape)
        # (n, total) -> (n, *shape)
        found.append(row[:, start : start + size].reshape(len(row), *shape))
        start += size
    keys = spec.output_keys
    return found if keys is None else dict(zip(keys, found, strict=True))


def inputs_of_row(row: Array, spec: ModelSpec) -> list[Array]:
    """The inputs of a row of them, in order."""
    return [row[:, part.start : part.start + part.size].reshape(len(row), *part.shape) for part in spec.input_parts]


def _what(given: Any) -> str:
    return f"one array of shape {given.shape}" if isinstance(given, np.ndarray) else shown(given)


def _row(given: Any, shapes: Mapping[str, Shape], name: str, kind: str) -> Any:
    names = ", ".join(shapes)
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return given
    if isinstance(given, Mapping):
        if set(given) != set(shapes):
            raise ValueError(f"{name} must have the {kind}s {names}, got {', '.join(map(str, given)) or 'none'}")
        given = [given[key] for key in shapes]
    if not isinstance(given, (list, tuple)) or len(given) != len(shapes):
        count = f"{len(given)} of them" if isinstance(given, (list, tuple)) else _what(given)
        raise ValueError(
            f"{name} must be a list of {len(shapes)} arrays, one for each {kind} ({names}), or a dict, got {count}"
        )
    arrays = [np.asarray(one) for one in given]
    for array, (key, shape) in zip(arrays, shapes.items(), strict=True):
        if array.shape[1:] != shape or array.ndim != len(shape) + 1:
            raise ValueError(f"{name}, {kind} {key!r}, must have shape (examples, *{shape}), got {array.shape}")
    if len({len(array) for array in arrays}) > 1:
        counts = ", ".join(f"{key} {len(array)}" for key, array in zip(shapes, arrays, strict=True))
        raise ValueError(f"{name} must have as many examples for each {kind}, got {counts}")
    return np.concatenate([array.reshape(len(array), element_count(array.shape[1:])) for array in arrays], axis=1)
