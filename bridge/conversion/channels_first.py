"""Weights of a network that was trained on channels-first images elsewhere, in Keras' layouts.

The from-scratch books keep kernels as (filters, channels, height, width) and flatten images channel by channel;
PyTorch's state dicts do so too, and keep a fully connected layer's weight as (outputs, inputs).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bridge.conversion.named_arrays import alike, by_name
from core_numpy.contract import Array
from model_spec import Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, ModelSpec, Reshape
from model_spec.layers import Flatten, LayerSpec
from model_spec.shapes import Shape, element_count
from model_spec.validation import one_of

DENSE_LAYOUTS = ("IO", "OI")
"""(inputs, outputs), as Keras and the books have it, or (outputs, inputs), as PyTorch has it."""

_COUNTERS = ("num_batches_tracked",)
"""Entries of PyTorch's state dicts that are no weights."""


def from_channels_first(
    spec: ModelSpec, arrays: Mapping[str, Any] | Sequence[Any], dense_layout: str | None = None
) -> dict[str, Array]:
    """Weights for ``set_weights`` of either backend, {"conv2d/kernel": array, ...}.

    Args:
        spec: the same network on channels-last images.
        arrays: one array for each variable. In a mapping (an ``.npz`` file, a state dict turned into arrays) names
            such as W1, b1, conv1.weight or bn1.running_mean say which is which, and layers whose names differ in a
            number come in the order of these numbers. A sequence, or a mapping whose names say nothing, is taken in
            the order of the layers, a layer's kernel first, with a warning where two kernels have one shape. Kernels
            of convolutions are OIHW, BatchNormalization comes as scale, shift, mean and variance.
        dense_layout: of the fully connected kernels, "IO" or "OI"; None takes the one that fits all of them.

    Raises:
        ValueError: another number of arrays, a shape that does not fit, or Dense kernels that fit both layouts.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Conv2D, ModelSpec
        >>> spec = ModelSpec("net", (8, 8, 1), (Conv2D(4, 3),))
        >>> weights = from_channels_first(spec, {"conv1.weight": np.ones((4, 1, 3, 3)), "conv1.bias": np.zeros(4)})
        >>> {name: value.shape for name, value in weights.items()}
        {'conv2d/kernel': (3, 3, 1, 4), 'conv2d/bias': (4,)}
    """
    names = list(spec.variable_shapes)
    named = _named(arrays)
    told = by_name(spec, named) if named is not None and len(named) == len(names) else None
    values = [told[name] for name in names] if told is not None else _values(arrays)
    if len(values) != len(names):
        raise ValueError(
            f"model {spec.name!r} has {len(names)} variables ({', '.join(names)}), got {len(values)} arrays; "
            f"give one for each, in this order"
        )
    if told is None and (same := alike(spec)):
        where = "a mapping with names such as W1, b1 or conv1.weight tells"
        warnings.warn(
            f"{', '.join(same)} have one shape: arrays in another order would be taken without an error; {where}",
            stacklevel=2,
        )
    given = dict(zip(names, values, strict=True))
    layout = dense_layout and one_of("dense_layout", dense_layout, DENSE_LAYOUTS)
    layout = layout or _dense_layout(spec, given)
    result: dict[str, Array] = {}
    flattened: Shape | None = None
    for layer, shape in zip(spec.layers, spec.input_shapes, strict=True):
        if isinstance(layer, (Flatten, Reshape)):
            flattened = shape if isinstance(layer, Flatten) and len(shape) == 3 else flattened
            if isinstance(layer, Reshape) and (len(shape) == 3 or flattened):
                raise ValueError(f"layer {layer.name!r}: what a Reshape makes of channels-first images is not known")
        own = {name.rpartition("/")[2]: given[name] for name in names if name.rpartition("/")[0] == layer.name}
        for variable, value in _turned(layer, own, layout, len(shape) == 3, flattened).items():
            name = f"{layer.name}/{variable}"
            if value.shape != spec.variable_shapes[name]:
                raise ValueError(
                    f"{name}: turned to Keras' layout the array has shape {value.shape}, "
                    f"expected {spec.variable_shapes[name]}; check the order of the arrays"
                )
            result[name] = np.ascontiguousarray(value)
        if isinstance(layer, Dense):
            flattened = None
    return result


def _named(arrays: Mapping[str, Any] | Sequence[Any]) -> dict[str, Array] | None:
    if not isinstance(arrays, Mapping):
        return None
    return {str(name): np.asarray(value) for name, value in arrays.items() if _last(name) not in _COUNTERS}


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]


def _values(arrays: Mapping[str, Any] | Sequence[Any]) -> list[Array]:
    if isinstance(arrays, Mapping):
        return [np.asarray(value) for name, value in arrays.items() if _last(name) not in _COUNTERS]
    return [np.asarray(value) for value in arrays]


def _dense_layout(spec: ModelSpec, given: dict[str, Array]) -> str:
    """The only layout in which all Dense kernels have the right shape."""
    kernels = [f"{layer.name}/kernel" for layer in spec.layers if isinstance(layer, Dense)]
    fitting = [
        layout
        for layout in DENSE_LAYOUTS
        if all(given[name].shape == spec.variable_shapes[name][:: 1 if layout == "IO" else -1] for name in kernels)
    ]
    if len(fitting) == 1 or not kernels:
        return fitting[0]
    shapes = {name: given[name].shape for name in kernels}
    if fitting:
        raise ValueError(f"the Dense kernels {shapes} fit both layouts; give dense_layout='IO' or 'OI'")
    expected = {name: spec.variable_shapes[name] for name in kernels}
    raise ValueError(f"the Dense kernels have shapes {shapes}, expected {expected}, or all of them transposed")


def _turned(
    layer: LayerSpec, own: dict[str, Array], layout: str, is_image: bool, flattened: Shape | None
) -> dict[str, Array]:
    """One layer's variables in Keras' layout; ``flattened`` is the image whose features its input holds, or None."""
    if isinstance(layer, (Conv2D, Conv2DTranspose)) and own["kernel"].ndim == 4:
        # (filters, channels, h, w) -> (h, w, channels, filters); both the other way round for a transposed one
        own = {**own, "kernel": own["kernel"].transpose(2, 3, 1, 0)}
    elif isinstance(layer, DepthwiseConv2D) and own["kernel"].ndim == 4:
        # (c * depth_multiplier, 1, h, w) -> (h, w, 1, c * depth_multiplier) -> (h, w, c, depth_multiplier)
        kernel = own["kernel"].transpose(2, 3, 1, 0)
        own = {**own, "kernel": kernel.reshape(*kernel.shape[:2], -1, layer.depth_multiplier)}
    elif isinstance(layer, Dense) and layout == "OI":
        own = {**own, "kernel": own["kernel"].T}
    elif is_image:
        # A value of its own for every place, (channels, h, w) -> (h, w, channels)
        own = {name: value.transpose(1, 2, 0) if value.ndim == 3 else value for name, value in own.items()}
    if flattened is None:
        return own
    # [row, column, channel] -> its place in (channel, row, column)
    height, width, channels = flattened
    places = np.arange(element_count(flattened)).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)
    if isinstance(layer, Dense) and len(own["kernel"]) == len(places):
        return {**own, "kernel": own["kernel"][places]}
    # A value of its own for every feature: statistics, scales, slopes
    return {name: value[places] if value.shape == (len(places),) else value for name, value in own.items()}
