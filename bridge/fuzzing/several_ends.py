"""A random network with several inputs or outputs made of one with one of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.fuzzing.random_networks import Draw
from model_spec import Add, Average, Concatenate, LayerSpec, Maximum, Minimum, ModelSpec, Multiply, Subtract
from model_spec.graph import input_name, with_inputs_named
from model_spec.layers.ends import InputPart, Outputs

_FIRST, _SECOND, _JOINED = "first_input", "second_input", "joined_inputs"

_MERGES = (Add, Average, Subtract, Multiply, Maximum, Minimum)


def draw_several_ends(some: Draw, spec: ModelSpec) -> ModelSpec:
    """The network with a second input, a second output, or both: two inputs are merged where one was read."""
    layers, shape = with_inputs_named(spec.layers, spec.sources), spec.input_shape
    with_inputs, with_outputs = some.of(((False, True), (True, False), (True, True)))
    outputs: tuple[str, ...] | None = None
    if with_outputs and len(layers) > 1:
        outputs = (str(some.of(layers[:-1]).name), str(layers[-1].name))
        outputs = outputs if some.boolean() else outputs[::-1]
    if with_inputs or outputs is None:
        entry = input_name(layers)
        layers = [
            replace(layer, inputs=tuple(_JOINED if name == entry else name for name in layer.inputs or ()))
            for layer in layers
        ]
        names = (_FIRST, _SECOND)
        if shape[-1] > 1 and some.boolean():
            cut = some.integer(1, shape[-1] - 1)
            shape = dict(zip(names, ((*shape[:-1], cut), (*shape[:-1], shape[-1] - cut)), strict=True))
            layers.insert(0, Concatenate(inputs=names, name=_JOINED))
        else:
            shape = dict.fromkeys(names, shape)
            layers.insert(0, some.of(_MERGES)(inputs=names, name=_JOINED))
    return ModelSpec(spec.name, shape, tuple(layers), outputs=outputs)


def with_one_input(spec: ModelSpec, layers: tuple[LayerSpec, ...]) -> ModelSpec:
    """A network of these layers of another, all inputs named, as one with a single input where one part is left."""
    parts = [layer for layer in layers if isinstance(layer, InputPart)]
    if len(parts) != 1:
        return replace(spec, layers=layers, outputs=None)
    rest = [layer for layer in layers if layer is not parts[0]]
    names: Any = {str(parts[0].name): input_name(rest)}
    renamed = (replace(layer, inputs=tuple(names.get(name, name) for name in layer.inputs or ())) for layer in rest)
    return replace(spec, input_shape=parts[0].shape, layers=tuple(renamed), outputs=None)


def single_outputs(layers: list[LayerSpec]) -> list[str]:
    """Names of the outputs, where there are several."""
    last = layers[-1]
    return list(dict.fromkeys(last.inputs or ())) if isinstance(last, Outputs) else []
