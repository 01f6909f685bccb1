"""A list of foreign layers as one model, to stand as one side of ``compare_models``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bridge.judge.bounds import value_name
from bridge.outside.adapters import AdaptedLayer
from core_numpy.contract import Context
from core_numpy.layers.build import Step, lower
from model_spec import Gradients, ModelSpec
from model_spec.inputs import check_weights, check_x, floating_dtype
from model_spec.validation import boolean

Array = np.ndarray


class _Stateless:
    """The from-scratch layer itself, where no foreign one is given: for Flatten, Reshape and their kin."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.cache: Any = None

    def forward(self, x: Array, training: bool) -> Array:
        y, self.cache = self.step.layer.forward({}, {}, x, Context(training))
        return y

    def backward(self, dy: Array) -> Array:
        return np.asarray(self.step.layer.backward({}, self.cache, dy)[0])


class ForeignModel:
    """Foreign layers in a row, with the methods ``compare_models`` uses: activations and pullback, no loss.

    Attributes:
        spec: the network the layers claim to be.
        dtype: what they are fed.
        steps: the from-scratch steps they stand for.
        layers: one for each step.
    """

    dropout_seed = 0
    """It has no Dropout; whoever reads the models' seeds finds one."""

    def __init__(self, spec: ModelSpec, layers: Sequence[Any], dtype: str, layout: str, style: str | None) -> None:
        if spec.dropout_layers:
            raise ValueError(
                f"model {spec.name!r} has Dropout, and foreign layers drop other units; "
                f"leave it out of the specification here, and judge the layer with bridge.check_layer"
            )
        if not spec.is_chain:
            raise ValueError(
                f"model {spec.name!r} branches, and foreign layers are run in a line; judge each part alone"
            )
        self.spec = spec
        self.dtype = floating_dtype(dtype).name
        self.steps = lower(spec)
        names = [value_name(step) for step in self.steps]
        if len(layers) != len(self.steps):
            raise ValueError(
                f"model {spec.name!r} has {len(names)} steps ({', '.join(names)}), got {len(layers)} layers; "
                f"give one for each (an activation is a step of its own), None for one without variables"
            )
        shape = spec.input_shape
        self.layers: list[AdaptedLayer | _Stateless] = []
        for step, layer in zip(self.steps, layers, strict=True):
            claim = step.layer.spec
            if layer is not None:
                self.layers.append(AdaptedLayer(layer, claim, shape, layout, style=style))
            elif claim.parameter_shapes(shape):
                raise ValueError(f"step {value_name(step)!r} has variables, so it needs a foreign layer, got None")
            else:
                self.layers.append(_Stateless(step))
            shape = claim.output_shape(shape)

    @property
    def weights(self) -> dict[str, Array]:
        """Copies of all variables, {"conv2d/kernel": array}, in Keras' names, layouts and order."""
        held = {
            f"{step.name}/{name}": value
            for step, layer in zip(self.steps, self.layers, strict=True)
            if isinstance(layer, AdaptedLayer)
            for name, value in layer.weights.items()
        }
        return {name: held[name] for name in self.spec.variable_shapes if name in held}

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Write all variables into the foreign layers."""
        clean = check_weights(weights, self.spec.variable_shapes, self.dtype)
        for step, layer in zip(self.steps, self.layers, strict=True):
            if isinstance(layer, AdaptedLayer):
                layer.set_weights({name: clean[f"{step.name}/{name}"] for name in layer.slots}, self.dtype)

    def predict(self, x: Any, batch_size: int | None = None) -> Array:
        """The last layer's output in inference mode, of the whole batch at once."""
        return list(self.activations(x).values())[-1]

    def activations(
        self, x: Any, training: bool = False, dropout_call: int = 0, preactivations: bool = False
    ) -> dict[str, Array]:
        """{layer name: output}, and {"dense/preactivation": value} where asked for."""
        y = check_x(x, self.spec.input_shape, self.dtype)
        found = {}
        for step, layer in zip(self.steps, self.layers, strict=True):
            y = layer.forward(y, boolean("training", training))
            if step.ends_layer or preactivations:
                found[value_name(step)] = y
        return found

    def pullback(self, x: Any, cotangent: Any, training: bool = False, dropout_call: int = 0) -> Gradients:
        """Gradients of sum(cotangent * output)."""
        self.activations(x, training)
        dy = np.asarray(cotangent, self.dtype)
        parameters: dict[str, Array] = {}
        activations: dict[str, Array] = {}
        for step, layer in zip(reversed(self.steps), reversed(self.layers), strict=True):
            activations[value_name(step)] = dy
            if isinstance(layer, AdaptedLayer):
                layer.clear_gradients()
            dy = layer.backward(dy)
            if isinstance(layer, AdaptedLayer) and self.spec.layers[step.index].trainable:
                for name in layer.parameter_shapes:
                    parameters[f"{step.name}/{name}"] = layer.gradient(name)
        return Gradients(None, parameters, dy, activations)


def model_from_layers(
    layers: Sequence[Any], spec: ModelSpec, *, dtype: str = "float64", layout: str = "NHWC", style: str | None = None
) -> ForeignModel:
    """Foreign layers as one model that ``bridge.compare_models`` can judge against any other.

    Between the layers, images are channels last; each layer gets them in its own ``layout``. So the features that a
    Flatten hands to Dense come in Keras' order.

    Args:
        layers: one object with ``forward(x)`` and ``backward(dy)`` for each step of the network. The activation of a
            Dense or Conv2D is a step of its own. None stands for a step without variables, such as Flatten.
        spec: the network they claim to be, without Dropout.
        dtype: what they are fed, "float64" or "float32".
        layout: of the images they take, "NHWC" or "NCHW".
        style: see :func:`bridge.check_layer`.

    Raises:
        ValueError: the number of layers is not that of the steps, or a variable cannot be found.
    """
    return ForeignModel(spec, layers, dtype, layout, style)
