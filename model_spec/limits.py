"""How much a network that comes from a file may ask for, counted before any memory is taken.

A few hundred bytes can describe a network whose one prediction takes terabytes. Networks written in Python are the
user's own and have no bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model_spec.names import shown
from model_spec.shapes import Shape, axis_padding, element_count, padding_amount

if TYPE_CHECKING:
    from model_spec.layers import LayerSpec
    from model_spec.model import ModelSpec


class Limits(NamedTuple):
    """Bounds on a network from a file; give larger ones where you trust the file.

    Args:
        example: numbers that one example takes on its way through the network: the input, every layer's output, and
            every window of a convolution or pooling. 2**27 are 512 MiB in float32; VGG16 on 224 x 224 pixels takes
            nine tenths of it.
        variables: numbers in all variables; 2**28 are 1 GiB in float32.
        layers: number of layers.
        axes: number of axes of any value.
    """

    example: int = 2**27
    variables: int = 2**28
    layers: int = 1000
    axes: int = 16

    def check(self, spec: ModelSpec, examples: int = 1) -> None:
        """Refuse a network that asks for more.

        Args:
            spec: the network.
            examples: how many the file wants computed at once.

        Raises:
            ValueError: what is too large, its size, and the bound.
        """
        self.check_layers(len(spec.layers))
        shapes = (spec.input_shape, *spec.output_shapes)
        axes = max(map(len, shapes))
        if axes > self.axes:
            raise ValueError(
                f"model {spec.name!r} has values of {axes} axes, from a file at most {self.axes} are taken"
            )
        sizes = {"input": element_count(spec.input_shape)}
        sizes |= {str(name): size for name, size in _sizes(spec).items()}
        largest = max(sizes, key=lambda name: sizes[name])
        self._refuse(
            examples * sum(sizes.values()),
            self.example,
            f"{'one prediction' if examples == 1 else f'a batch of {shown(examples)}'} of model {spec.name!r} takes",
            f"most of it at {largest!r}, {_bytes(sizes[largest])}",
            "example",
        )
        variables = {name: element_count(shape) for name, shape in spec.variable_shapes.items()}
        if variables:
            largest = max(variables, key=lambda name: variables[name])
            self._refuse(
                sum(variables.values()),
                self.variables,
                f"the variables of model {spec.name!r} take",
                f"most of it {largest!r}, {_bytes(variables[largest])}",
                "variables",
            )

    def check_layers(self, count: int) -> None:
        """Refuse too many layers."""
        if count > self.layers:
            raise ValueError(
                f"the model has {count} layers, from a file at most {self.layers} are taken; where you trust the file, "
                f"read it in Python with bounds=Limits(layers={count})"
            )

    @staticmethod
    def _refuse(count: int, most: int, what: str, where: str, name: str) -> None:
        if count > most:
            raise ValueError(
                f"{what} {_bytes(count)} in float32, {where}; from a file at most {_bytes(most)} are taken; where you "
                f"trust the file, read it in Python with bounds=Limits({name}={shown(count, 30)})"
            )


DEFAULT = Limits()
"""What is taken where nothing else is said."""


def _sizes(spec: ModelSpec) -> dict[str | None, int]:
    """Numbers that each layer takes for one example: its output, and its windows as if they were laid out."""
    sizes = {}
    for layer, before, after in zip(spec.layers, spec.input_shapes, spec.output_shapes, strict=True):
        sizes[layer.name] = element_count(after) + _windows(layer, before, after)
    return sizes


def _windows(layer: LayerSpec, before: Shape, after: Shape) -> int:
    """Numbers in the padded image and in all windows on it; 0 for a layer without windows."""
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window is None:
        return 0
    on_images = getattr(layer, "on_images", None)
    if on_images is not None:
        return _windows(on_images, (1, *before), (1, *after))
    if layer.windows_on_output:
        before, after = after, before
    strides, padding = layer.strides, layer.padding  # type: ignore[attr-defined]
    dilation = getattr(layer, "dilation_rate", (1, 1))
    height, width = (
        before[a] + sum(padding_amount(before[a], window[a], strides[a], axis_padding(padding, a), dilation[a]))
        for a in (0, 1)
    )
    return before[-1] * (height * width + window[0] * window[1] * element_count(after[:2]))


def _bytes(count: int) -> str:
    """The size of so many float32 numbers.

    >>> _bytes(2**27), _bytes(3), _bytes(2**80)
    ('512 MiB', '12 B', 'more than 1000 EiB')
    """
    size = 4 * count
    if size >= 1000 * 2**60:
        return "more than 1000 EiB"
    power = max(min((size.bit_length() - 1) // 10, 6), 0)
    return f"{size / 1024**power:.4g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[power]}"
