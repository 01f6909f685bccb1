"""A network as the code that makes it, without what is at its default: its repr."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from model_spec.layers import LayerSpec
from model_spec.layers.base import snake_case
from model_spec.layers.ends import Outputs, is_end

_LONGEST_LINE = 120


def code_of_network(spec: Any) -> str:
    """The call that makes this ``ModelSpec``; layers have no name where they get it by themselves and nobody reads it.

    >>> from model_spec import Dense, ModelSpec
    >>> ModelSpec("net", (4,), (Dense(5, activation="relu"), Dense(3, name="classes")))
    ModelSpec('net', (4,), (Dense(5, activation='relu'), Dense(3, name='classes')))
    """
    layers = [layer for layer in spec.layers if not is_end(layer)]
    read = {name for layer in spec.layers for name in (*(layer.inputs or ()), layer.weights_of)}
    unnamed = [
        layer if layer.name in read or not _is_automatic(layer) else dataclasses.replace(layer, name=None)
        for layer in layers
    ]
    last = spec.layers[-1]
    outputs: Any = spec.outputs
    if isinstance(last, Outputs) and last.keys is not None:
        outputs = dict(zip(last.keys, spec.outputs, strict=True))
    shape = {str(part.name): part.shape for part in spec.input_parts} or spec.input_shape
    written = next((kept for kept in (unnamed, layers) if _makes(spec, shape, kept, outputs)), list(spec.layers))
    given = {"input_dtype": spec.input_dtype, "outputs": outputs}
    options = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    shown = [repr(layer) for layer in written]
    return _call([repr(spec.name), repr(shape)], shown, options)


def _is_automatic(layer: LayerSpec) -> bool:
    base = snake_case(type(layer).__name__)
    return layer.name == base or str(layer.name).removeprefix(f"{base}_").isdigit()


def _makes(spec: Any, shape: Any, layers: Sequence[LayerSpec], outputs: Any) -> bool:
    try:
        return type(spec)(spec.name, shape, tuple(layers), spec.input_dtype, outputs) == spec
    except ValueError:
        return False


def _call(first: list[str], layers: list[str], options: list[str]) -> str:
    """On one line, or with a line for each layer where that is too long."""
    row = ", ".join(layers) + ("," if len(layers) == 1 else "")
    line = f"ModelSpec({', '.join([*first, f'({row})', *options])})"
    if len(line) <= _LONGEST_LINE:
        return line
    rows = "".join(f"\n    {layer}," for layer in layers)
    split = f"({rows}\n)"
    return f"ModelSpec({', '.join([*first, split, *options])})"
