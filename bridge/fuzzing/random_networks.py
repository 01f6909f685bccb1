"""Networks drawn at random by Hypothesis: small, always valid, ending in a row of classes.

Hypothesis is imported only where something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_spec import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LayerSpec,
    MaxPooling2D,
    ModelSpec,
    Rescaling,
    Reshape,
    ZeroPadding2D,
    regularizers,
)
from model_spec.activations import ACTIVATIONS
from model_spec.shapes import Shape, element_count, output_size, window_extent
from model_spec.validation import positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

DIFFERENTIABLE = tuple(name for name in ACTIVATIONS if name != "step")
"""Activations a gradient passes through."""

_SIDE, _CHANNELS, _FEATURES, _CLASSES = 10, 3, 12, (2, 6)
_FILTERS, _UNITS, _CELLS = 5, 8, 1200
_OUTPUT_LAYERS = 3  # a transition from image to row, the Dense, and perhaps an Activation of its own
_PENALTIES = (None, None, None, regularizers.L1(0.02), regularizers.L2(0.05), regularizers.L1L2(0.01, 0.03))


def specs(max_layers: int = 8) -> SearchStrategy[ModelSpec]:
    """Strategy for networks of at most ``max_layers`` layers that end in 2 to 6 classes.

    Sizes are small: images up to 10x10x3, 5 filters, 8 units. The last activation is softmax, sigmoid or none.
    """
    if positive_integer("max_layers", max_layers) < _OUTPUT_LAYERS + 1:
        raise ValueError(f"max_layers must be at least {_OUTPUT_LAYERS + 1}, got {max_layers}")
    need_hypothesis()
    from hypothesis import strategies

    @strategies.composite
    def draw_spec(draw: DrawFn) -> ModelSpec:
        return _draw_spec(Draw(draw), max_layers)

    return draw_spec()


def need_hypothesis() -> None:
    """Say how to install Hypothesis where it is missing."""
    try:
        import hypothesis  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'random networks are drawn with Hypothesis ({error.name} is missing): pip install "crosscheck[test]"'
        ) from error


@dataclass(frozen=True)
class Draw:
    """Draws single values; every kind of choice shrinks towards its first or smallest."""

    draw: DrawFn

    def integer(self, low: int, high: int) -> int:
        """A whole number in low..high."""
        from hypothesis import strategies

        return self.draw(strategies.integers(low, high))

    def of(self, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return choices[self.integer(0, len(choices) - 1)]

    def boolean(self) -> bool:
        """False or True."""
        return bool(self.integer(0, 1))

    def rarely(self) -> bool:
        """True in one of eight draws."""
        return self.integer(0, 7) == 7


def _draw_spec(some: Draw, max_layers: int) -> ModelSpec:
    shape: Shape
    # Drawn so that it shrinks well: every layer fits an image, so an image is the simplest input; a layer goes together
    # with the number drawn before it; and a zero ends the layers, even where there is room for no other
    if some.of((True, False)):
        shape = (some.integer(1, _SIDE), some.integer(1, _SIDE), some.integer(1, _CHANNELS))
    else:
        shape = (some.integer(1, _FEATURES),)
    start = shape
    layers: list[LayerSpec] = []
    # Hypothesis likes small numbers; half of the draws fill the network
    most = max_layers - _OUTPUT_LAYERS
    while some.integer(0, 2 * most - len(layers)) > 0 and len(layers) < most:
        layer = some.of(_IMAGE_LAYERS if len(shape) == 3 else _ROW_LAYERS)(some, shape)
        layers.append(layer)
        shape = layer.output_shape(shape)
    if len(shape) == 3:
        layers.append(_to_row(some, shape))
    layers += _draw_output(some)
    return ModelSpec("fuzz", start, tuple(layers))


def _draw_output(some: Draw) -> list[LayerSpec]:
    # Keras warns of a softmax over a single value: classes are two at least, and _function leaves it out
    classes, last, apart = some.integer(*_CLASSES), some.of(("softmax", "linear", "sigmoid")), some.rarely()
    options = _weighted(some)
    if apart:
        return [Dense(classes, **options), Activation(last)]
    return [Dense(classes, activation=last, **options)]


def _weighted(some: Draw) -> dict[str, Any]:
    """Options that Dense and Conv2D share."""
    return {
        "use_bias": not some.rarely(),
        "kernel_regularizer": some.of(_PENALTIES),
        "bias_regularizer": some.of(_PENALTIES),
        "trainable": not some.rarely(),
    }


def _function(some: Draw, size: int) -> str:
    """Name of an activation for a last axis of this size."""
    return str(some.of([name for name in DIFFERENTIABLE if name != "softmax" or size > 1]))


def _dense(some: Draw, shape: Shape) -> LayerSpec:
    units = some.integer(1, _UNITS)
    return Dense(units, activation=_function(some, units), **_weighted(some))


def _windows(some: Draw, shape: Shape, dilation: tuple[int, int] = (1, 1)) -> tuple[tuple[int, int], str]:
    """(window, padding) that fit into the image."""
    padding = some.of(("valid", "same"))
    largest = [3, 3]
    if padding == "valid":
        fitting = [[w for w in (1, 2, 3) if window_extent(w, dilation[a]) <= shape[a]] for a in (0, 1)]
        largest = [max(sizes) for sizes in fitting]
    return (some.integer(1, largest[0]), some.integer(1, largest[1])), padding


def _conv2d(some: Draw, shape: Shape) -> LayerSpec:
    kind = some.of(("plain", "strided", "dilated"))
    strides = (some.integer(1, 3), some.integer(1, 3)) if kind == "strided" else (1, 1)
    dilation = (some.integer(1, 3), some.integer(1, 3)) if kind == "dilated" else (1, 1)
    window, padding = _windows(some, shape, dilation)
    if window == (1, 1):
        # TensorFlow 2.21 on CPU writes past a buffer in the filter gradient of a strided 1x1 float32 convolution of few
        # channels and corrupts the process (oneDNN issue 6035, open in 2026): not a difference, but a crash
        strides = (1, 1)
    if shape[-1] == 1 and strides[0] == 1 and strides[1] > 1 and _is_tall_column(shape, window, strides, padding):
        # TensorFlow 2.21 with oneDNN gives garbage (up to 1e32) for these float32 convolutions: one input channel,
        # stride along the width only, and outputs one cell wide; TF_ENABLE_ONEDNN_OPTS=0 gives the right values
        strides = (1, 1)
    filters = some.integer(1, _FILTERS)
    return Conv2D(
        filters,
        window,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        activation=_function(some, filters),
        **_weighted(some),
    )


def _is_tall_column(shape: Shape, window: tuple[int, int], strides: tuple[int, int], padding: str) -> bool:
    height, width = (output_size(shape[a], window[a], strides[a], padding) for a in (0, 1))
    return width == 1 and height > 1


def _pooling(kind: Callable[..., LayerSpec]) -> Callable[[Draw, Shape], LayerSpec]:
    def draw(some: Draw, shape: Shape) -> LayerSpec:
        window, padding = _windows(some, shape)
        strides = None if some.boolean() else (some.integer(1, 3), some.integer(1, 3))
        return kind(window, strides, padding)

    return draw


def _zero_padding2d(some: Draw, shape: Shape) -> LayerSpec:
    (top, bottom, left, right) = (some.integer(0, 2) for _ in range(4))
    if (shape[0] + top + bottom) * (shape[1] + left + right) * shape[2] > _CELLS:
        return ZeroPadding2D(((0, 0), (0, 0)))
    return ZeroPadding2D(((top, bottom), (left, right)))


def _reshape(some: Draw, shape: Shape) -> LayerSpec:
    """An image of the same values: two of its axes swap their lengths, or one joins another."""
    height, width, channels = shape
    return Reshape(some.of(((width, height, channels), (height, channels, width), (height * width, 1, channels))))


def _to_row(some: Draw, shape: Shape) -> LayerSpec:
    layer: LayerSpec = some.of((Flatten(), GlobalAveragePooling2D(), GlobalMaxPooling2D(), Reshape((-1,))))
    return layer


def _row_to_image(some: Draw, shape: Shape) -> LayerSpec:
    return Reshape(some.of(((element_count(shape), 1, 1), (1, 1, element_count(shape)), (1, -1, 1))))


def _rescaling(some: Draw, shape: Shape) -> LayerSpec:
    return Rescaling(some.of((0.5, -1.0, 2.0, 1 / 255, 0.1)), some.of((0.0, 0.5, -0.3)))


def _dropout(some: Draw, shape: Shape) -> LayerSpec:
    return Dropout(some.of((0.5, 0.0, 0.25, 0.1, 0.7)))


def _batch_normalization(some: Draw, shape: Shape) -> LayerSpec:
    return BatchNormalization(
        epsilon=some.of((1e-3, 1e-5)),
        center=not some.rarely(),
        scale=not some.rarely(),
        trainable=not some.rarely(),
    )


def _activation(some: Draw, shape: Shape) -> LayerSpec:
    return Activation(_function(some, shape[-1]))


# What takes the fewest draws comes first: a layer that does not matter shrinks into it, and is then left out
_ANY_LAYERS = (_dropout, _activation, _rescaling, _batch_normalization, _dense)
_IMAGE_LAYERS = (
    *_ANY_LAYERS,
    _to_row,
    _reshape,
    _zero_padding2d,
    _pooling(AveragePooling2D),
    _pooling(AveragePooling2D),
    _pooling(MaxPooling2D),
    _pooling(MaxPooling2D),
    _conv2d,
    _conv2d,
    _conv2d,
)
_ROW_LAYERS = (*_ANY_LAYERS, _dense, _row_to_image)
