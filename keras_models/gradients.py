"""Forward and backward in Keras' eager mode, layer by layer, with every activation and gradient at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_models.preactivations import captured_preactivations
from keras_models.runtime import keras, tensorflow
from keras_models.states import kept_states
from model_spec import Gradients


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


def run_layers(model: Any, x: Any, training: bool) -> Forward:
    """Run the layers of a Sequential one after the other on the tensor x, shape (examples, *input shape)."""
    outputs: dict[str, Any] = {}
    with captured_preactivations(model.layers) as preactivations:
        for layer in model.layers:
            takes_mode = isinstance(layer, (keras.layers.Dropout, keras.layers.BatchNormalization))
            x = layer(x, training=training) if takes_mode else layer(x)
            outputs[layer.name] = x
    return Forward(x, outputs, dict(preactivations))


def activations(model: Any, x: np.ndarray, training: bool, call: int, preactivations: bool) -> dict[str, np.ndarray]:
    """Return {layer name: output}, with {"dense/preactivation": value} in front of its layer where asked for."""
    with kept_states(model, call):
        forward = run_layers(model, tensorflow.constant(x), training)
    result = {}
    for name, output in forward.layers.items():
        before = f"{name}/preactivation"
        if preactivations and before in forward.preactivations:
            result[before] = forward.preactivations[before].numpy()
        result[name] = output.numpy()
    return result


def loss_and_gradients(
    model: Any, x: np.ndarray, y: np.ndarray, loss: Any, parameters: dict[str, Any], training: bool, call: int
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
    """

    def target(forward: Forward) -> Any:
        value = loss(tensorflow.constant(y), forward.output)
        penalties = model.losses
        # One sum over the loss and all penalties, the order of additions of Keras' own Trainer.compute_loss.
        return keras.ops.sum([value, *penalties]) if penalties else value

    value, gradients = _backward(model, x, target, None, parameters, training, call)
    return Gradients(loss=float(value.numpy()), **gradients)


def pullback(
    model: Any, x: np.ndarray, cotangent: np.ndarray, parameters: dict[str, Any], training: bool, call: int
) -> Gradients:
    """Return the gradients of ``sum(cotangent * output)``; ``cotangent`` has the shape of the output."""
    seed = tensorflow.constant(cotangent)
    _, gradients = _backward(model, x, lambda forward: forward.output, seed, parameters, training, call)
    return Gradients(loss=None, **gradients)


def _backward(
    model: Any,
    x: np.ndarray,
    target: Callable[[Forward], Any],
    cotangent: Any,
    parameters: dict[str, Any],
    training: bool,
    call: int,
) -> tuple[Any, dict[str, Any]]:
    """Run forward and backward once; return the target and the fields of :class:`Gradients` but the loss."""
    inputs = tensorflow.constant(x)
    with kept_states(model, call):
        with tensorflow.GradientTape() as tape:
            tape.watch(inputs)
            forward = run_layers(model, inputs, training)
            value = target(forward)
        named = {**forward.layers, **forward.preactivations}
        variables = {name: variable.value for name, variable in parameters.items()}
        gradients, dx, inner = tape.gradient(value, (variables, inputs, named), output_gradients=cotangent)
        zeros = {name: np.zeros(variable.shape, x.dtype) for name, variable in parameters.items()}
    return value, {
        # A gradient Keras does not know is one no path leads to: zero (a layer in front of "step").
        "parameters": {name: zeros[name] if g is None else _array(g) for name, g in gradients.items()},
        "inputs": np.zeros_like(x) if dx is None else _array(dx),
        # An activation without a path is left out: behind a fused cross-entropy there is no such gradient.
        "activations": {name: _array(gradient) for name, gradient in inner.items() if gradient is not None},
    }


def _array(gradient: Any) -> np.ndarray:
    return np.asarray(tensorflow.convert_to_tensor(gradient).numpy())
