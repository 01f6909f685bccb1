"""Forward and backward, layer by layer, with every activation and gradient at hand, on each of Keras' numeric paths.

Keras computes in three ways on CPU, and their roundings differ: eager (operation after operation), graph (what ``fit``
and ``predict`` use), and XLA (compiled). Every tensor that is looked at is an output of the graph here, so that the
graph cannot fuse it with a neighbour; what ``predict`` itself gives is compared beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_models.computing_order import computing_order
from keras_models.layers.merging import TAKES_LIST
from keras_models.preactivations import captured_preactivations
from keras_models.runtime import keras, tensorflow, without_tracing_warnings
from keras_models.states import kept_states
from model_spec import Gradients

PATHS = ("eager", "graph", "xla")
"""Keras' numeric paths on CPU."""

Names = Mapping[tuple[str, int], str]
"""{(name of a layer, number of its call): what this call is called} where that is not the layer's name."""

NO_NAMES: Names = {}


def on_path(path: str, function: Callable[..., Any], *tensors: Any) -> Any:
    """Run ``function(*tensors)`` eagerly, as a graph, or compiled by XLA."""
    if path == "eager":
        return function(*tensors)
    with without_tracing_warnings():
        return tensorflow.function(function, jit_compile=path == "xla", autograph=False)(*tensors)


@dataclass(frozen=True)
class Forward:
    """The tensors of one forward pass.

    Attributes:
        output: what the last layer gives.
        layers: {layer name: output}.
        preactivations: {"dense/preactivation": value} of Dense and Conv2D layers with a nonlinear activation.
    """

    output: Any
    layers: dict[str, Any]
    preactivations: dict[str, Any]


def run_layers(model: Any, x: Any, training: bool, names: Names = NO_NAMES) -> Forward:
    """Run the layers of a model one after the other on the tensor x, shape (examples, *input shape)."""
    values: list[Any] = [x]
    layers: dict[str, Any] = {}
    preactivations: dict[str, Any] = {}
    calls = computing_order(model)
    with captured_preactivations(call.layer for call in calls) as captured:
        for layer, sources, number in calls:
            name = names.get((layer.name, number), layer.name)
            takes_mode = isinstance(layer, (keras.layers.Dropout, keras.layers.BatchNormalization))
            given = [values[at] for at in sources] if isinstance(layer, TAKES_LIST) else values[sources[0]]
            output = layer(given, training=training) if takes_mode else layer(given)
            if output is given and sum(call.sources.count(sources[0]) for call in calls) > 1:
                # A tensor of its own, whose gradient is that of this branch alone
                output = tensorflow.identity(output)
            values.append(output)
            layers[name] = output
            if f"{layer.name}/preactivation" in captured:
                preactivations[f"{name}/preactivation"] = captured.pop(f"{layer.name}/preactivation")
    return Forward(values[-1], layers, preactivations)


def activations(
    model: Any,
    x: np.ndarray,
    training: bool,
    call: int,
    preactivations: bool,
    path: str = "eager",
    names: Names = NO_NAMES,
) -> dict[str, np.ndarray]:
    """Return {layer name: output}, with {"dense/preactivation": value} in front of its layer where asked for."""

    def compute(inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        forward = run_layers(model, inputs, training, names)
        return forward.layers, forward.preactivations

    with kept_states(model, call):
        layers, before = on_path(path, compute, tensorflow.constant(x))
    result = {}
    for layer, _, number in computing_order(model):
        name = names.get((layer.name, number), layer.name)
        if preactivations and f"{name}/preactivation" in before:
            result[f"{name}/preactivation"] = before[f"{name}/preactivation"].numpy()
        result[name] = layers[name].numpy()
    return result


def loss_and_gradients(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    loss: Any,
    parameters: dict[str, Any],
    training: bool,
    call: int,
    path: str = "eager",
    names: Names = NO_NAMES,
) -> Gradients:
    """Return the loss with regularization penalties, and its gradients.

    Args:
        model: the built Sequential.
        x: shape (examples, *input shape).
        y: targets in the form ``loss`` takes.
        loss: a ``keras.losses`` object of the model's dtype.
        parameters: {"dense/kernel": trainable Keras variable}.
        training: whether dropout and batch normalization work as in training.
        call: which call of the dropout streams is meant.
        path: one of ``PATHS``.
        names: of the calls of shared layers.
    """

    def target(forward: Forward, targets: Any) -> Any:
        value = loss(targets, forward.output)
        penalties = model.losses
        # One sum over the loss and all penalties, the order of additions of Keras' own Trainer.compute_loss.
        return keras.ops.sum([value, *penalties]) if penalties else value

    value, gradients = _backward(model, x, y, target, parameters, training, call, path, names)
    return Gradients(loss=float(value.numpy()), **gradients)


def pullback(
    model: Any,
    x: np.ndarray,
    cotangent: np.ndarray,
    parameters: dict[str, Any],
    training: bool,
    call: int,
    path: str = "eager",
    names: Names = NO_NAMES,
) -> Gradients:
    """Return the gradients of ``sum(cotangent * output)``; ``cotangent`` has the shape of the output."""
    _, gradients = _backward(model, x, cotangent, None, parameters, training, call, path, names)
    return Gradients(loss=None, **gradients)


def _backward(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    loss: Callable[[Forward, Any], Any] | None,
    parameters: dict[str, Any],
    training: bool,
    call: int,
    path: str,
    names: Names,
) -> tuple[Any, dict[str, Any]]:
    """Run forward and backward once; return the target and the fields of :class:`Gradients` but the loss.

    ``y`` holds the loss's targets or, where ``loss`` is None, the cotangent of the output.
    """
    variables = {name: variable.value for name, variable in parameters.items()}

    def compute(inputs: Any, given: Any) -> Any:
        with tensorflow.GradientTape() as tape:
            tape.watch(inputs)
            forward = run_layers(model, inputs, training, names)
            value = forward.output if loss is None else loss(forward, given)
        named = {**forward.layers, **forward.preactivations}
        cotangent = given if loss is None else None
        parts = tape.gradient(value, (variables, inputs, named), output_gradients=cotangent)
        # A graph has no place for a gradient that does not exist
        return value, [_existing(part) for part in (parts[0], {"x": parts[1]}, parts[2])]

    with kept_states(model, call):
        value, (gradients, dx, inner) = on_path(path, compute, tensorflow.constant(x), tensorflow.constant(y))
    zeros = {name: np.zeros(variable.shape, x.dtype) for name, variable in parameters.items()}
    return value, {
        # A gradient Keras does not know is one no path leads to: zero (a layer in front of "step").
        "parameters": {name: _array(gradients[name]) if name in gradients else zeros[name] for name in parameters},
        "inputs": _array(dx["x"]) if dx else np.zeros_like(x),
        # An activation without a path is left out: behind a fused cross-entropy there is no such gradient.
        "activations": {name: _array(gradient) for name, gradient in inner.items()},
    }


def _existing(gradients: dict[str, Any]) -> dict[str, Any]:
    return {name: gradient for name, gradient in gradients.items() if gradient is not None}


def _array(gradient: Any) -> np.ndarray:
    return np.asarray(tensorflow.convert_to_tensor(gradient).numpy())
