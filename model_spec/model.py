"""ModelSpec: a network as data, written once for every backend."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model_spec.graph import Graph, Sources, connected_to, resolve, with_unique_names
from model_spec.layers import Dropout, LayerSpec
from model_spec.layers.ends import InputPart, Outputs, input_parts, outputs_layer
from model_spec.names import check_folder_name, shown
from model_spec.network_code import code_of_network
from model_spec.shapes import Shape, element_count
from model_spec.shared_weights import check_shapes_of_shared_weights, with_shared_weights
from model_spec.small_integers import refuse_sums_of_small_integers
from model_spec.validation import one_of, shape

INPUT_DTYPES = ("bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "float16")
"""What inputs may be cast to before the first layer."""


@dataclass(frozen=True)
class ModelSpec:
    """A network of layers, checked when it is written: a stack, or a graph where layers name their ``inputs``.

    Args:
        name: the model's name; results are kept in folders of this name, so a folder must be able to have it.
        input_shape: shape of one example, without the batch axis, channels last; {name: shape} where the network has
            several inputs, which layers name in their ``inputs``. It is then kept as the shape of the row that all of
            them make side by side, and ``input_parts`` has their names and shapes.
        layers: the layers in computing order: each reads earlier ones, and the last gives the network's output.
            Unnamed ones get Keras-style names (``conv2d``, ``conv2d_1``).
        input_dtype: what inputs are cast to before the first layer, as ``keras.Input(dtype="uint8")`` does: one of
            :data:`INPUT_DTYPES`; None leaves them as they are, in the model's own precision.
        outputs: names of the layers whose outputs the network gives, where there are several; a dict {key: name} lets
            it give them as a dict. None is the last layer.

    Raises:
        ValueError: names the layer, its position, the shape that came, what was expected and how to fix it.

    Examples:
        >>> from model_spec import Conv2D, Dense, Flatten
        >>> layers = (Conv2D(4, 3, activation="relu"), Flatten(), Dense(10, activation="softmax"))
        >>> spec = ModelSpec("small", (8, 8, 1), layers)
        >>> spec.output_shape, spec.parameter_shapes["conv2d/kernel"]
        ((10,), (3, 3, 1, 4))
    """

    name: str
    input_shape: Any
    layers: tuple[LayerSpec, ...]
    input_dtype: str | None = None
    outputs: Any = None

    def __post_init__(self) -> None:
        check_folder_name("a model's name", self.name)
        parts = input_parts(self.name, self.input_shape) if isinstance(self.input_shape, Mapping) else ()
        if parts:
            object.__setattr__(self, "input_shape", (sum(part.size for part in parts),))
        object.__setattr__(self, "input_shape", shape("input_shape", self.input_shape))
        if self.input_dtype is not None:
            one_of("input_dtype", self.input_dtype, INPUT_DTYPES)
        try:
            layers = tuple(self.layers)
        except TypeError:
            raise ValueError(
                f"layers must be a sequence of layers, got {shown(self.layers)}; "
                f"give a sequence even of one, such as (Dense(3),)"
            ) from None
        if not layers:
            raise ValueError(f"model {self.name!r} has no layers; give at least one")
        for position, layer in enumerate(layers):
            if not isinstance(layer, LayerSpec):
                raise ValueError(f"layer {position} must be a layer of model_spec.layers, got {shown(layer)}")
        if not any(isinstance(layer, InputPart) for layer in layers):
            layers = (*parts, *layers)
        mine = [layer for layer in layers if isinstance(layer, InputPart)]
        if mine and (len(mine) < 2 or (sum(part.size for part in mine),) != self.input_shape):
            raise ValueError(f"model {self.name!r}: its inputs are not all there; name them again in input_shape")
        if self.outputs is not None and not isinstance(layers[-1], Outputs):
            layers = (*layers, outputs_layer(self.name, self.outputs))
        graph = resolve(self.name, with_shared_weights(self.name, with_unique_names(layers)))
        object.__setattr__(self, "layers", graph.layers)
        last = graph.layers[-1]
        object.__setattr__(self, "outputs", tuple(last.inputs) if isinstance(last, Outputs) else None)
        self.__dict__["_graph"] = graph
        self.output_shapes  # noqa: B018 - computing the shapes is the check
        check_shapes_of_shared_weights(self.name, self.layers, self.input_shapes)
        refuse_sums_of_small_integers(self)

    def __repr__(self) -> str:
        return code_of_network(self)

    @property
    def shares_weights(self) -> bool:
        """True where a layer computes with the weights of another one."""
        return any(layer.weights_of is not None for layer in self.layers)

    @cached_property
    def _graph(self) -> Graph:
        return resolve(self.name, self.layers)

    @property
    def input_parts(self) -> tuple[InputPart, ...]:
        """The inputs of a network with several, in order; none of a network with one."""
        return tuple(layer for layer in self.layers if isinstance(layer, InputPart))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the layers that give the network's outputs."""
        return (str(self.layers[-1].name),) if self.outputs is None else tuple(self.outputs)

    @property
    def output_keys(self) -> tuple[str, ...] | None:
        """What several outputs are called in the dict they are given as; None where they are given as a list."""
        last = self.layers[-1]
        return last.keys if isinstance(last, Outputs) else None

    @property
    def shapes_of_outputs(self) -> dict[str, Shape]:
        """{name: shape} of each output, by its key where there are keys."""
        known = {str(layer.name): size for layer, size in zip(self.layers, self.output_shapes, strict=True)}
        names = self.output_names
        return {key: known[name] for key, name in zip(self.output_keys or names, names, strict=True)}

    @property
    def sources(self) -> Sources:
        """Of every layer, the positions of the values it reads: 0 is the input, k + 1 the output of layer k."""
        return self._graph.sources

    @cached_property
    def is_chain(self) -> bool:
        """True where every layer reads the one before it."""
        return all(read == (at,) for at, read in enumerate(self.sources))

    @cached_property
    def output_shapes(self) -> tuple[Shape, ...]:
        """Shape after each layer, without the batch axis."""
        shapes: list[Shape] = [self.input_shape]
        for position, (layer, read) in enumerate(zip(self.layers, self.sources, strict=True)):
            current = _read(shapes, layer, read)
            try:
                shapes.append(layer.output_shape(current))
                for variable, rule in layer.constraints().items():
                    if variable in (own := layer.parameter_shapes(current)):
                        rule.check(variable, own[variable])
            except ValueError as error:
                raise ValueError(
                    f"model {self.name!r}, layer {position} {layer.name!r} ({layer.describe()}) "
                    f"cannot take input of shape {current}: {error}"
                ) from None
        return tuple(shapes[1:])

    @cached_property
    def input_shapes(self) -> tuple[Any, ...]:
        """Shape in front of each layer, without the batch axis; of a merge, the tuple of all its inputs' shapes."""
        shapes = [self.input_shape, *self.output_shapes]
        return tuple(_read(shapes, layer, read) for layer, read in zip(self.layers, self.sources, strict=True))

    @property
    def output_shape(self) -> Shape:
        """Shape of the network's output, without the batch axis; of several, that of the row they make."""
        return self.output_shapes[-1]

    @cached_property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shapes of all parameters, ``{"conv2d/kernel": (3, 3, 1, 8), ...}``, in Keras' order."""
        return {
            f"{layer.name}/{variable}": size
            for layer, before in zip(self.layers, self.input_shapes, strict=True)
            if layer.weights_of is None
            for variable, size in layer.parameter_shapes(before).items()
        }

    @cached_property
    def trainable_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that training changes."""
        frozen = {layer.name for layer in self.layers if not layer.trainable}
        return tuple(name for name in self.parameter_shapes if name.partition("/")[0] not in frozen)

    @cached_property
    def variable_shapes(self) -> dict[str, Shape]:
        """Shapes of parameters and moving statistics, in the order of Keras' ``get_weights``."""
        return {
            f"{layer.name}/{variable}": size
            for layer, before in zip(self.layers, self.input_shapes, strict=True)
            if layer.weights_of is None
            for variable, size in (layer.parameter_shapes(before) | layer.state_shapes(before)).items()
        }

    @cached_property
    def dropout_layers(self) -> tuple[str, ...]:
        """Names of the layers that drop units in training: Dropout of a rate above zero."""
        return tuple(str(layer.name) for layer in self.layers if isinstance(layer, Dropout) and layer.rate > 0)

    @property
    def parameter_count(self) -> int:
        """Number of values in all parameters (moving statistics not counted)."""
        return sum(element_count(size) for size in self.parameter_shapes.values())

    @cached_property
    def flops(self) -> dict[str, float]:
        """Additions and multiplications of each layer's product for one example, forward, ``{"conv2d": 12960.0}``.

        A kernel is applied at every position of the output. Layers without a kernel are left out.
        """
        return {
            str(layer.name): 2.0 * element_count(kernel) * element_count(after[:-1])
            for layer, after in zip(self.layers, self.output_shapes, strict=True)
            if (kernel := self.parameter_shapes.get(f"{layer.weights_of or layer.name}/kernel")) is not None
        }

    def freeze(self, *names: str) -> ModelSpec:
        """The same network with these layers frozen, ``trainable=False`` as in Keras, and all others trained.

        Raises:
            ValueError: a name that no layer has.
        """
        known = [str(layer.name) for layer in self.layers]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"model {self.name!r} has no layer {', '.join(unknown)}; it has {', '.join(known)}")
        layers = (dataclasses.replace(layer, trainable=layer.name not in names) for layer in self.layers)
        return dataclasses.replace(self, layers=tuple(layers))

    def summary(self) -> str:
        """The layers with output shapes, parameter counts and, where they branch, what they read, as a text table.

        Several inputs stand in front, as Keras' InputLayers, and the names of several outputs at the end.
        """
        rows = [("Layer", "Output shape", "Parameters", "Connected to")]
        reads = connected_to(self.layers, self.sources)
        for layer, before, after, read in zip(self.layers, self.input_shapes, self.output_shapes, reads, strict=True):
            if isinstance(layer, Outputs):
                continue
            if isinstance(layer, InputPart):
                rows.append((f"{layer.name}: InputLayer", str(after), "0", ""))
                continue
            own = layer.parameter_shapes(before) if layer.weights_of is None else {}
            count = sum(element_count(size) for size in own.values())
            alone = dataclasses.replace(layer, inputs=None).describe()
            rows.append((f"{layer.name}: {alone}", str(after), f"{count:,}", read))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c, _ in rows]
        if not self.is_chain:
            lines = [f"{line}  {read}".rstrip() for line, (*_, read) in zip(lines, rows, strict=True)]
        frozen = self.parameter_count - sum(
            element_count(self.parameter_shapes[name]) for name in self.trainable_parameters
        )
        lines.insert(1, "-" * max(map(len, lines[: 1 if self.is_chain else None])))
        parts = ", ".join(f"{part.name} {part.shape}" for part in self.input_parts)
        lines.insert(0, f"Model {self.name}: " + (f"inputs {parts}" if parts else f"input {self.input_shape}"))
        if self.outputs is not None:
            lines.append(f"Outputs: {', '.join(f'{key} {size}' for key, size in self.shapes_of_outputs.items())}")
        lines.append(f"Parameters: {self.parameter_count:,}" + (f" (frozen: {frozen:,})" if frozen else ""))
        return "\n".join(lines)


def _read(values: list[Any], layer: LayerSpec, sources: tuple[int, ...]) -> Any:
    """What a layer reads of these values: one, or for a merge a tuple."""
    return tuple(values[at] for at in sources) if layer.merges else values[sources[0]]
