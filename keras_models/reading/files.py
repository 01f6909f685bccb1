"""A Keras model from a file: looked at, measured, and only then built and filled by Keras."""

from __future__ import annotations

import copy
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from keras_models import open_sizes
from keras_models.ends import InputPart
from keras_models.reading import archive, hdf5
from keras_models.reading.calls import without_moving_statistics
from keras_models.reading.configuration import Configuration, read_configuration
from keras_models.reading.layer_entries import Place
from keras_models.reading.layer_in_place import read_in_place
from keras_models.reading.names import plain_name, unique_names
from keras_models.reading.order import Order
from keras_models.runtime import keras
from model_spec import LayerSpec, ModelSpec, untrusted
from model_spec.layers import Normalization
from model_spec.layers.ends import is_end
from model_spec.limits import Limits
from model_spec.names import printable, shown
from model_spec.shapes import element_count

ENDINGS = (".keras", ".h5", ".hdf5")


def load_model(path: Path, bounds: Limits | None, input_shape: Any = None) -> Any:
    """The Keras model in a file, not compiled; ``input_shape`` has the sizes that it leaves open.

    Raises:
        ValueError: names the file, and what in it is not supported, too large or damaged.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path} is no file of a Keras model; its name ends in {', '.join(ENDINGS)}")
    if not path.exists():
        raise ValueError(f"{path}: no such file; save the model first or check the path")
    if path.name.endswith("weights.h5"):
        raise ValueError(f"{path} holds weights only; give the network they belong to with spec=")
    try:
        configuration, values = _look(path)
        spec = _foresee(configuration, bounds, input_shape)
        # The statistics of a Normalization may stand in the configuration
        given = {layer.name for layer in spec.layers if isinstance(layer, Normalization)}
        shapes = spec.variable_shapes.items()
        wanted = sum(element_count(shape) for name, shape in shapes if name.rpartition("/")[0] not in given)
        if wanted > values:
            raise ValueError(f"its layers have {wanted:,} weights, it holds {values:,} numbers")
        model = keras.saving.deserialize_keras_object(configuration.clean, safe_mode=True)
        if model.built:
            model.load_weights(path)
        return model
    except Exception as error:
        # Keras, h5py and zipfile raise many kinds for a damaged file
        reason = printable(cause(error))
        raise ValueError(f"{path} cannot be read as a Keras model: {reason}") from None


def _look(path: Path) -> tuple[Configuration, int]:
    """The configuration, and how many numbers the arrays hold, none of which has been read."""
    size = untrusted.check_size(path, untrusted.LARGEST_FILE)
    if path.suffix == ".keras":
        entries = archive.read_archive(path, size)
        configuration = read_configuration(untrusted.parse_json(entries.configuration))
        with h5py.File(io.BytesIO(entries.weights), "r") as file:
            return configuration, sum(hdf5.array_sizes(file, len(entries.weights)).values())
    with h5py.File(path, "r") as file:
        text = hdf5.text_attribute(file, "model_config", untrusted.LARGEST_TEXT)
        if text is None:
            raise ValueError("it has no model_config: it holds weights only; give the network with spec=")
        return read_configuration(untrusted.parse_json(text)), sum(hdf5.array_sizes(file, size).values())


def _foresee(configuration: Configuration, bounds: Limits | None, input_shape: Any) -> ModelSpec:
    """The specification of the model that Keras will build, by layers that have no variables yet."""
    places = configuration.places
    if not places:
        raise ValueError(f"model {shown(configuration.name)} has no layers; give one with at least one")
    if bounds is not None:
        bounds.check_layers(len(places))
    name = plain_name(configuration.name)
    ends, parts = configuration.ends, list(configuration.ends.inputs)
    if not places[0].claims:
        raise ValueError(
            f"model {shown(configuration.name)} has not been built; begin it with keras.Input and save it again"
        )
    taken = ends.inputs or {"input": places[0].claims[0]}
    if not parts and isinstance(input_shape, Mapping) and len(input_shape) == 1:
        # The name of a single input is not kept
        (input_shape,) = input_shape.values()
    known = list(open_sizes.closed(configuration.name, taken, input_shape).values())
    layers = [_layer(place) for place in places]
    names = unique_names([*parts, *(place.name for place in places)])
    first = tuple(InputPart(shape, 0, part) for part, shape in zip(names, known[: len(parts)], strict=False))
    order = Order.at_input([*first, *layers], known[0])
    found = _in_place(places, layers, names, [order.example_shape()] if not parts else known, order)
    at = {id(place): len(parts) + number for number, place in enumerate(places)}
    outputs: Any = [names[at[id(end)]] for end in ends.outputs] or None
    if outputs and ends.keys is not None:
        outputs = dict(zip(ends.keys, outputs, strict=True))
    whole: Any = dict(zip(names, known, strict=False)) if parts else order.example_shape()
    spec = ModelSpec(name, whole, tuple(without_moving_statistics(found)[0]), outputs=outputs)
    if bounds is not None:
        bounds.check(spec)
    own = [(layer, sizes) for layer, sizes in zip(spec.layers, spec.input_shapes, strict=True) if not is_end(layer)]
    for place, (layer, sizes) in zip(places, own, strict=True):
        shapes = sizes if layer.merges else (sizes,)
        _check_claims(place, [(s[2], *s[:2]) if order.is_turned and len(s) == 3 else s for s in shapes])
    return spec


def _in_place(
    places: list[Place], layers: list[Any], names: list[str], inputs: list[tuple[int, ...]], order: Order
) -> tuple[LayerSpec, ...]:
    """The layers of the specification; images are known by the shapes that come out of the layers so far.

    Several ``inputs`` have the first names, and are the first values behind the row that they make.
    """
    several = len(inputs) if len(inputs) > 1 else 0
    positions: dict[Any, int] = {None: 0} | {id(place): several + at + 1 for at, place in enumerate(places)}
    shapes: list[tuple[int, ...]] = [(0,), *inputs] if several else [inputs[0]]
    found = []
    for at, (place, layer) in enumerate(zip(places, layers, strict=True), start=several):
        sources = [
            source + 1 if isinstance(source, int) else positions[source and id(source)] for source in place.sources
        ]
        first = shapes[sources[0]]
        owner = place if place.same_as is None else place.same_as
        turned = order.channels_first and len(first) == 3
        # Said before the weights are counted, which are then of other sizes
        Order(order.channels_first, (first[2], *first[:2]) if turned else first).check(layer)
        spec = read_in_place(layer, at, names, sources, turned)
        given: Any = tuple(shapes[source] for source in sources) if spec.merges else first
        if owner is not place and (spec.parameter_shapes(given) or spec.state_shapes(given)):
            spec = dataclasses.replace(spec, weights_of=names[positions[id(owner)] - 1])
        found.append(spec)
        try:
            shapes.append(spec.output_shape(given))
        except ValueError:
            # The specification as a whole says it, and where
            shapes.append(first)
    return tuple(found)


def cause(error: Exception) -> str:
    """What Keras says, on one line, without the configurations that it repeats."""
    return " ".join(str(error).rpartition("Exception encountered: ")[2].split())[:600]


def _layer(place: Place) -> Any:
    try:
        return place.kind.from_config(copy.deepcopy(place.config))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"layer {shown(place.name)} ({place.kind.__name__}): {cause(error)}") from None


def _check_claims(place: Place, shapes: list[tuple[int, ...]]) -> None:
    """Keras builds nested models on the shapes that the file claims, whatever comes in."""
    for claim in place.claims:
        if not any(
            len(claim) == len(shape) and all(size in (None, real) for size, real in zip(claim, shape, strict=True))
            for shape in shapes
        ):
            raise ValueError(
                f"layer {shown(place.name)} ({place.kind.__name__}) is said to take {shown(tuple(claim))}, "
                f"{' and '.join(map(str, shapes))} comes in"
            )
