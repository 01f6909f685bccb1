"""A list of foreign layers as one model, to stand as one side of ``compare_models``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bridge.judge.bounds import value_name
from bridge.judge.comparison import NoBackwardError
from bridge.outside.adapters import AdaptedLayer
from bridge.outside.calling import FORWARD
from bridge.outside.external_layers import DroppingLayer, StatelessLayer, adapted_layers
from bridge.outside.external_variables import ForeignLayerError
from bridge.outside.raised import raised_in_words
from bridge.outside.taken import need_claim, need_own, shown_kind
from core_numpy.contract import Array
from core_numpy.layers.build import Step, lower
from core_numpy.masks import keras_masks
from model_spec import Dropout, Gradients, ModelSpec
from model_spec.inputs import check_weights, check_x, floating_dtype
from model_spec.shapes import Shape
from model_spec.validation import boolean


class ForeignModel:
    """Foreign layers in a row, with the methods ``compare_models`` uses: activations and pullback, no loss.

    Attributes:
        spec: the network the layers claim to be.
        dtype: what they are fed.
        steps: the from-scratch steps they stand for.
        layers: one for each step.
        by_moments: True, as a foreign normalization may take E(x^2) - E(x)^2 for the variance.
    """

    by_moments = True

    def __init__(
        self,
        spec: ModelSpec,
        layers: Sequence[Any],
        dtype: str,
        layout: str,
        style: str | None,
        kernel_layout: str | Sequence[str] | None = None,
    ) -> None:
        if not spec.is_chain:
            raise ValueError(f"model {spec.name!r} branches, and foreign layers run in a line; judge its parts alone")
        if spec.shares_weights:
            raise ValueError(
                f"model {spec.name!r} shares weights, and every foreign layer has its own; judge its parts alone"
            )
        self.dropout_seed: int | None = None
        """Of the units that are dropped in training; None takes that of the model it is compared with."""
        self.spec = spec
        self.dtype = floating_dtype(dtype).name
        self.steps = lower(spec)
        names = [value_name(step) for step in self.steps]
        if len(layers) != len(self.steps):
            raise ValueError(
                f"model {spec.name!r} has {len(names)} steps ({', '.join(names)}), got {len(layers)} layers; "
                f"give one for each (an activation is a step of its own), None for one without variables"
            )
        self.layers: list[AdaptedLayer | StatelessLayer | DroppingLayer] = []
        adapt = partial(AdaptedLayer, layout=layout, style=style)
        shape = spec.input_shape
        claims: list[tuple[Step, Shape]] = []
        for step in self.steps:
            if layers[len(claims)] is None and step.layer.spec.parameter_shapes(shape):
                raise ValueError(f"step {value_name(step)!r} has variables, so it needs a foreign layer, got None")
            claims.append((step, shape))
            shape = step.layer.spec.output_shape(shape)
        for step, adapted in zip(self.steps, adapted_layers(adapt, layers, claims, kernel_layout), strict=True):
            if adapted is not None:
                claim = step.layer.spec
                self.layers.append(DroppingLayer(adapted, claim) if isinstance(claim, Dropout) else adapted)
            else:
                self.layers.append(StatelessLayer(step))

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
        boolean("training", training)
        found = {}
        for step, layer in zip(self.steps, self.layers, strict=True):
            y = self._run(step, "forward", partial(self._forward, step, layer, y, training, dropout_call))
            if step.ends_layer or preactivations:
                found[value_name(step)] = y
        return found

    def _forward(self, step: Step, layer: Any, x: Array, training: bool, call: int) -> Array:
        if isinstance(layer, AdaptedLayer):
            return layer.forward(x, training)
        masks = None
        if training and isinstance(step.layer.spec, Dropout):
            masks = keras_masks(self.dropout_seed or 0, call, stream_dtype=self.dtype)(step.index)
        return np.asarray(layer.forward(x, training, masks))

    def _run(self, step: Step, what: str, compute: Callable[[], Array]) -> Array:
        """What a foreign layer computes; what it raises comes back with its own line."""
        try:
            return compute()
        except ForeignLayerError as error:
            raise ForeignLayerError(f"{what} of {value_name(step)!r}: {error}") from error
        except Exception as error:  # whatever a foreign layer raises
            raise ForeignLayerError(f"{what} of {value_name(step)!r} {raised_in_words(error)}") from error

    def pullback(self, x: Any, cotangent: Any, training: bool = False, dropout_call: int = 0) -> Gradients:
        """Gradients of sum(cotangent * output)."""
        self.activations(x, training, dropout_call)
        return self.pull(np.asarray(cotangent, self.dtype), training)

    def pull(self, dy: Array, training: bool, skip_last: int = 0, clear: bool = True) -> Gradients:
        """Pull a cotangent of the last forward back, that of what the last ``skip_last`` steps were given.

        Without ``clear``, only layers that have a ``zero_grad`` or the like start with gradients of zero.
        """
        count = len(self.steps) - skip_last
        parameters: dict[str, Array] = {}
        activations: dict[str, Array] = {}
        for step, layer in zip(reversed(self.steps[:count]), reversed(self.layers[:count]), strict=True):
            activations[value_name(step)] = dy
            if isinstance(layer, AdaptedLayer) and (clear or layer.accumulates):
                layer.clear_gradients()
            try:
                dy = self._run(step, "backward", partial(layer.backward, dy))
            except ForeignLayerError as error:
                if training:
                    raise
                raise NoBackwardError(str(error)) from error
            if isinstance(layer, AdaptedLayer) and self.spec.layers[step.index].trainable:
                for name in layer.parameter_shapes:
                    parameters[f"{step.name}/{name}"] = layer.gradient(name)
        return Gradients(None, parameters, dy, activations)


def model_from_layers(
    layers: Sequence[Any],
    spec: ModelSpec,
    *,
    dtype: str = "float64",
    layout: str = "NHWC",
    style: str | None = None,
    kernel_layout: str | Sequence[str] | None = None,
) -> ForeignModel:
    """Foreign layers as one model that ``bridge.compare_models`` can judge against any other.

    Between the layers, images are channels last; each layer gets them in its own ``layout``. So the features that a
    Flatten hands to Dense come in Keras' order.

    Args:
        layers: one object with ``forward(x)`` and ``backward(dy)`` for each step of the network. The activation of a
            Dense or Conv2D is a step of its own. None stands for a step without variables, such as Flatten.
        spec: the network they claim to be. A foreign Dropout is made to drop the units that the other model drops.
        dtype: what they are fed, "float64" or "float32".
        layout: of the images they take, "NHWC" or "NCHW".
        style: see :func:`bridge.check_layer`.
        kernel_layout: of kernels whose shape fits several, such as "IO" or "OI" for a square one; ("OIHW", "IO") where
            there are several kinds. What is not given is that of the kernels of its kind whose shape tells it.

    Raises:
        ValueError: the number of layers is not that of the steps, or a variable cannot be found.

    Examples:
        >>> import numpy as np
        >>> class Affine:
        ...     def __init__(self):
        ...         self.W, self.b = np.ones((4, 3)), np.ones(3)
        ...     def forward(self, x):
        ...         self.x = x
        ...         return x @ self.W + self.b
        ...     def backward(self, dy):
        ...         self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        ...         return dy @ self.W.T
        >>> from bridge import compare_models
        >>> from core_numpy import NumpyModel
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3),))
        >>> mine = model_from_layers([Affine()], spec)
        >>> ours = NumpyModel(spec, dtype="float64")
        >>> ours.set_weights(mine.weights)
        >>> compare_models(ours, mine, np.ones((2, 4))).passed
        True
    """
    need_claim("spec", spec, ModelSpec, 'ModelSpec("net", (6,), (Dense(5),))')
    if isinstance(layers, (str, bytes)) or not isinstance(layers, Sequence):
        raise ValueError(f"layers must be a list of layers, got {shown_kind(layers)}")
    for at, layer in enumerate(layers):
        if layer is not None:
            need_own(f"layers[{at}]", layer, FORWARD, "an object with forward(x) and backward(dy), or None")
    return ForeignModel(spec, layers, dtype, layout, style, kernel_layout)
