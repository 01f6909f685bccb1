"""Reads any Keras model of supported layers: its specification and its weights, exactly or not at all."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from keras_models import open_sizes
from keras_models.ends import ENDS, InputPart, as_given, note_of_one_output, shapes_of_inputs
from keras_models.layers import read_layer, training_only, variables_of
from keras_models.layers.merging import TAKES_LIST
from keras_models.model import KerasModel
from keras_models.reading import files
from keras_models.reading.calls import readable_calls, without_moving_statistics
from keras_models.reading.layer_in_place import read_in_place
from keras_models.reading.names import plain_name, unique_names
from keras_models.reading.order import Order
from keras_models.runtime import floatx, keras, tensorflow
from keras_models.weight_files import load_foreign_weights
from model_spec import ModelSpec, limits
from model_spec.inputs import check_weights, check_x
from model_spec.layers import Dropout
from model_spec.model import INPUT_DTYPES
from model_spec.several import inputs_of_row, row_of_inputs

Array = np.ndarray


@dataclass(frozen=True)
class _Place:
    """One Keras layer or operation, what it reads, its name in the specification, and the order of values behind it."""

    layer: Any
    sources: tuple[int, ...]
    operation: Callable[[Sequence[Any]], Any] | None
    name: str
    behind: Order


class ReadModel:
    """What a Keras model says and holds, beside the model itself.

    A float64 model is taken as Keras computes it with float64 as its default width: with float32 as the default its
    ``predict`` rounds inputs to float32 first.

    It has what ``bridge`` needs to compare it on outputs: ``spec``, ``weights``, ``dtype``, ``predict`` and
    ``activations``, in the specification's names and channels last.

    Attributes:
        spec: the specification.
        weights: copies of all variables, {"conv2d/kernel": array}, in Keras' layouts.
        dtype: "float32" or "float64".
        notes: what is not kept, a sentence each: what changes training alone, sizes that were left open, and a dict
            around a single output.
        channels_first: whether the Keras model itself takes channels-first images; the specification is channels last.
        keras_model: the model that was read, untouched.

    Examples:
        >>> import keras
        >>> from keras_models import read
        >>> found = read(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="dense")]))
        >>> found.spec.layers[0].units, sorted(found.weights)
        (3, ['dense/bias', 'dense/kernel'])
    """

    path = "eager"
    dropout_seed = 0
    shows_dropout = False

    def __init__(self, model: Any, input_shape: Any = None) -> None:
        calls = readable_calls(model)
        if not calls:
            raise ValueError(f"model {model.name!r} has no layers; give one with at least one")
        taken = shapes_of_inputs(model)
        if any(None in sizes for sizes in taken.values()):
            for call in calls:
                # What is refused at any size is said first
                read_layer(call.layer, call.layer.name)
        shapes = open_sizes.closed(model.name, taken, input_shape)
        calls = readable_calls(model, shapes)
        layers = [call.layer for call in calls]
        shape = next(iter(shapes.values()))
        parts = [layer for layer in layers if isinstance(layer, InputPart)]
        if parts:
            shape = (sum(part.size for part in parts),)
        self.keras_model = model
        self.dtype = _one_dtype([layer for layer in layers if not isinstance(layer, ENDS)])
        names = unique_names([layer.name for layer in layers])
        self._entry = Order.at_input(layers, shape)
        self.channels_first = self._entry.is_turned
        self._places: list[_Place] = []
        variables: dict[str, Array] = {}
        owners: dict[int, str] = {}
        specs, orders = [], [self._entry]
        for at, ((layer, sources, operation), name) in enumerate(zip(calls, names, strict=True)):
            order = orders[sources[0]]
            found = read_in_place(layer, at, names, sources, order.is_turned)
            own = order.variables(layer, variables_of(layer))
            first = owners.setdefault(id(layer), name)
            if own and first != name:
                found = dataclasses.replace(found, weights_of=first)
                if any(not np.array_equal(value, variables[f"{first}/{key}"]) for key, value in own.items()):
                    raise ValueError(
                        f"layer {layer.name!r} is used twice, on features of channels-first images in different "
                        f"orders; build the model on channels-last images"
                    )
            else:
                variables |= {f"{name}/{key}": value for key, value in own.items()}
            specs.append(found)
            is_merge = isinstance(layer, TAKES_LIST)
            orders.append(
                Order.merged(layer, [orders[source] for source in sources]) if is_merge else order.after(layer)
            )
            self._places.append(_Place(layer, sources, operation, name, orders[-1]))
        specs, frozen = without_moving_statistics(specs)
        training = (training_only.notes(layer, found) for layer, found in zip(layers, specs, strict=True))
        of_ends = (*open_sizes.note(taken, shapes), *note_of_one_output(model))
        self.notes = (*chain.from_iterable(training), *frozen, *of_ends)
        order = orders[-1]
        if order.features is not None or order.is_turned:
            raise ValueError(
                f"model {model.name!r} ends with channels-first values; end it with a Dense or global pooling layer"
            )
        input_dtype = _input_dtype(model, self.dtype)
        self.spec = ModelSpec(plain_name(model.name), self._entry.example_shape(), tuple(specs), input_dtype)
        self.weights = check_weights(variables, self.spec.variable_shapes, self.dtype)

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The Keras model's own ``predict`` on channels-last inputs; of several outputs a list or a dict."""
        x = check_x(row_of_inputs(x, self.spec), self.spec.input_shape, self.dtype)
        with floatx(self.dtype):
            if self.channels_first:
                run = self._by_xla(lambda values: self.keras_model(values, training=False))
                found = run(self._as_keras(x))
            else:
                parts = inputs_of_row(x, self.spec) if self.spec.input_parts else [x]
                found = self.keras_model.predict(as_given(self.keras_model, parts), batch_size=batch_size, verbose=0)
        if self.spec.outputs is None:
            # One output may be in a list or a dict
            (found,) = keras.tree.flatten(found)
            return np.asarray(found)
        return keras.tree.map_structure(np.asarray, found)

    def activations(
        self, x: Any, training: bool = False, dropout_call: int = 0, preactivations: bool = False
    ) -> dict[str, Array]:
        """{layer name: output} in inference mode, each layer called in turn; channels last.

        Raises:
            ValueError: for ``training``: the units somebody else's Dropout drops are not known.
        """
        if training and any(isinstance(layer, Dropout) for layer in self.spec.layers):
            raise ValueError("what a read model drops in training is not known; compare it in inference mode")
        x = check_x(row_of_inputs(x, self.spec), self.spec.input_shape, self.dtype)
        found = {}
        with floatx(self.dtype):
            values: Any = keras.ops.convert_to_tensor(self._as_keras(x))
            if self.spec.input_dtype is not None:
                values = keras.ops.cast(values, self.spec.input_dtype)
            tensors = [values]
            for place in self._places:
                read = [tensors[source] for source in place.sources]
                options = {"training": training} if place.layer._call_has_training_arg else {}
                layer = place.operation or partial(place.layer, **options)
                given = read if place.operation or isinstance(place.layer, TAKES_LIST) else read[0]
                tensors.append(self._by_xla(layer)(given) if self.channels_first else layer(given))
                found[place.name] = place.behind.keras_last(np.asarray(tensors[-1].numpy()))
        return found

    def _by_xla(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function compiled by XLA: TensorFlow has no other channels-first convolution for the CPU."""
        compiled: Callable[[Any], Any] = tensorflow.function(function, jit_compile=True)
        return compiled

    def _as_keras(self, x: Array) -> Array:
        # (n, h, w, c) -> (n, c, h, w)
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if self.channels_first else x


def read(
    source: Any,
    spec: ModelSpec | None = None,
    bounds: limits.Limits | None = limits.DEFAULT,
    input_shape: Any = None,
) -> ReadModel:
    """The specification and weights of a Keras model.

    A file is looked at before Keras opens it: its configuration has to hold supported layers and nothing else, its
    arrays have to be plain, and sizes are bounded; Keras then builds from what was looked at, in its safe mode.

    Args:
        source: a ``keras.Sequential`` or functional model, built of supported layers;
            or the path of a ``.keras``, ``.h5`` or ``.hdf5`` file of such a model, or of a file of weights only.
        spec: the network of a file of weights; of a whole model's file the weights alone are read then.
        bounds: what a model from a file may ask for; None for a file that you trust.
        input_shape: the shape of one input, such as ``(64, 64, 3)``, of a model that leaves sizes open,
            ``keras.Input((None, None, 3))``; of several inputs a dict of names and shapes.

    Raises:
        ValueError: a layer or an option that a specification cannot say, by name with what is supported; a file that
            cannot be read.

    Examples:
        >>> import keras
        >>> found = read(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="dense")]))
        >>> found.spec.input_shape, found.spec.output_shape
        ((4,), (3,))
    """
    if not isinstance(source, (str, os.PathLike)):
        return ReadModel(source, input_shape)
    path = Path(source)
    if spec is not None:
        model = KerasModel(spec)
        with floatx(model.dtype):
            arrays = load_foreign_weights(model.keras_model, path)
        model.set_weights(arrays)
        return ReadModel(model.keras_model, input_shape)
    return ReadModel(files.load_model(path, bounds, input_shape), input_shape)


def _one_dtype(layers: list[Any]) -> str:
    """The precision of all layers."""
    for layer in layers:
        policy = layer.dtype_policy
        if getattr(policy, "quantization_mode", None):
            raise ValueError(f"layer {layer.name!r} is quantized ({policy.name}); read the model before quantizing it")
        if layer.compute_dtype != layer.variable_dtype:
            raise ValueError(
                f"layer {layer.name!r} computes in {layer.compute_dtype} and keeps {layer.variable_dtype} "
                f"({policy.name}); supported are float32 and float64 throughout"
            )
    found = {layer.name: layer.compute_dtype for layer in layers}
    if len(set(found.values())) > 1:
        raise ValueError(f"the layers compute in different precisions: {found}; supported is one for all of them")
    dtype = next(iter(found.values()))
    if dtype not in ("float32", "float64"):
        raise ValueError(f"the model computes in {dtype}; supported are float32 and float64")
    return str(dtype)


def _input_dtype(model: Any, dtype: str) -> str | None:
    """What the model casts its inputs to, or None where that is a precision that holds them."""
    kinds = sorted({str(tensor.dtype) for tensor in model.inputs})
    if len(kinds) > 1:
        raise ValueError(
            f"model {model.name!r} casts its inputs to {' and '.join(kinds)}; supported is one kind for all of them"
        )
    found = kinds[0]
    if found in ("float32", "float64", dtype):
        return None
    if found not in INPUT_DTYPES:
        raise ValueError(
            f"model {model.name!r} casts its inputs to {found}; "
            f"supported are float32, float64, {', '.join(INPUT_DTYPES)}"
        )
    return found
