"""What every layer specification has: a name, whether it is trained, and its shapes."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from model_spec.code import ShownAsCode, code_of
from model_spec.constraints import Constraint
from model_spec.initializers import Initializer
from model_spec.names import LONGEST, shown
from model_spec.regularizers import Regularizer
from model_spec.shapes import Shape
from model_spec.validation import boolean


@dataclass(frozen=True)
class LayerSpec(ShownAsCode):
    """Hyper-parameters of one layer. Shapes never include the batch axis.

    Args:
        name: the layer's name in the model; None lets the model choose one in Keras' style.
        trainable: False freezes its parameters, as in Keras.
        inputs: names of the earlier layers it reads, "input" being the network's; None is the layer before it.
        weights_of: name of an earlier layer of the same kind and options whose variables it computes with, as a Keras
            layer that is called twice; None is variables of its own. Gradients of all uses are added.
    """

    merges: ClassVar[bool] = False
    """True for layers that take several inputs."""
    is_function: ClassVar[bool] = False
    """True for layers that are one function without variables, which other layers take as their ``activation``."""
    windows_on_output: ClassVar[bool] = False
    """True where the windows stand on the output, one for each cell of the input, as in a transposed convolution."""

    name: str | None = field(default=None, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    inputs: Any = field(default=None, kw_only=True)
    weights_of: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        boolean("trainable", self.trainable)
        if self.inputs is not None:
            self._set(inputs=_names("inputs", self.inputs))
        if self.weights_of is not None and not isinstance(self.weights_of, str):
            raise ValueError(f"weights_of must be the name of an earlier layer, got {shown(self.weights_of)}")
        if self.name is None:
            return
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", self.name):
            raise ValueError(
                f"a layer's name takes letters, digits and _.- (no slash or space), got {shown(self.name)}"
            )
        if len(self.name) > LONGEST:
            raise ValueError(
                f"a layer's name takes at most {LONGEST} characters, got {len(self.name)}: {shown(self.name)}"
            )

    def _set(self, **values: Any) -> None:
        """Store normalised field values; only for ``__post_init__``, where a frozen dataclass allows no assignment."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for this input shape; ValueError where the layer cannot take it."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Shapes of the variables that training changes, in Keras' order."""
        return {}

    def state_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Shapes of the variables that are carried along but have no gradient (moving statistics)."""
        return {}

    def initializers(self) -> dict[str, Initializer]:
        """How each variable gets its first values; by default what ``<variable>_initializer`` says."""
        return self._by_variable("_initializer")

    def regularizers(self) -> dict[str, Regularizer]:
        """The penalty of each parameter that has one; by default what ``<parameter>_regularizer`` says."""
        return self._by_variable("_regularizer")

    def constraints(self) -> dict[str, Constraint]:
        """What training keeps each parameter to that has such a rule: what ``<parameter>_constraint`` says."""
        return self._by_variable("_constraint")

    def _by_variable(self, suffix: str) -> dict[str, Any]:
        """{variable: option} of the options that are called ``<variable><suffix>`` and not None."""
        options = {
            item.name.removesuffix(suffix): getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name.endswith(suffix)
        }
        return {variable: rule for variable, rule in options.items() if rule is not None}

    def describe(self) -> str:
        """The layer as one would write it in Python, without its name and what is at its default."""
        return code_of(self, without=("name",))


def _names(option: str, value: Any) -> tuple[str, ...]:
    """Names of layers, from one name or several."""
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (tuple, list)) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"{option} must be the name of a layer or several, such as ('conv2d', 'add'), got {shown(value)}"
        )
    return tuple(names)


def snake_case(class_name: str) -> str:
    """Keras' automatic layer name for a class (keras/src/utils/naming.py).

    >>> snake_case("MaxPooling2D"), snake_case("Conv2D"), snake_case("BatchNormalization")
    ('max_pooling2d', 'conv2d', 'batch_normalization')
    """
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
