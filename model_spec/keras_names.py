"""The names a Keras user types first, for both backends: call a model, look at its layers, count and print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_spec.shapes import element_count

if TYPE_CHECKING:
    from model_spec.layers.base import LayerSpec
    from model_spec.protocol import Model


class KerasNames:
    """What a Keras model offers beside ``fit``, ``predict`` and ``evaluate``; each backend derives from it.

    Example:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import zoo
        >>> model = NumpyModel(zoo.mlp((8, 8, 1)))
        >>> [layer.name for layer in model.layers], model.count_params()
        (['flatten', 'dense', 'dense_1'], 1210)
    """

    def __call__(self: Model, x: Any, training: bool = False) -> Any:
        """The network's output as a NumPy array, (examples, *input shape) -> (examples, *output shape).

        With ``training=True`` dropout drops and normalization takes the batch's statistics, as in Keras; moving
        statistics and dropout counters stay as they are.
        """
        if not training:
            return self.predict(x)
        return self.activations(x, training=True)[str(self.spec.layers[-1].name)]

    @property
    def layers(self: Model) -> tuple[LayerSpec, ...]:
        """The layers as the specification has them: names and hyper-parameters."""
        return self.spec.layers

    def count_params(self: Model) -> int:
        """Number of values in all variables, moving statistics included, as Keras counts."""
        return sum(element_count(shape) for shape in self.spec.variable_shapes.values())

    def summary(self: Model) -> None:
        """Print the network as a table; ``spec.summary()`` returns it as text."""
        print(self.spec.summary())
