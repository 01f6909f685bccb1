"""Everyday and edge inputs beside random ones: which of them tell something about a layer, and how to make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core_numpy.contract import Array
from model_spec import layers as specs
from model_spec.shapes import Shape

MODERATE, LARGE = 30.0, 1000.0
"""Arguments of exponentials: what every textbook form can take in float32, and what a logit may reach."""


@dataclass(frozen=True)
class EdgeCase:
    """Inputs of one kind.

    Attributes:
        name: what they are, for the report.
        input_shape: of one example; None for the claimed one.
        batch: number of examples; None for the usual one.
        make: turns random inputs into them.
        contiguous: False hands over every other row of a larger array.
        second_call: True lets another forward come first.
        batch_before: number of examples of that forward; None for the usual one.
        second_step: True lets another forward and backward come first, whose gradients are left where they are.
        only_values: True where an overflow is said in a note in place of being refused.
        may_raise: True where an exception is a note: what is refused aloud is no wrong answer.
        cotangent_factor: what the cotangent is multiplied by.
        forward_only: True where right forms have different gradients.
    """

    name: str
    input_shape: Shape | None = None
    batch: int | None = None
    make: Callable[[Array], Array] = lambda x: x
    contiguous: bool = True
    second_call: bool = False
    batch_before: int | None = None
    second_step: bool = False
    only_values: bool = False
    may_raise: bool = False
    cotangent_factor: float = 1.0
    forward_only: bool = False


def _constant_images(x: Array) -> Array:
    return np.broadcast_to(np.float32(x.mean(axis=(1, 2), keepdims=True)), x.shape).astype(np.float64)


LARGEST_EXAMPLE = 50_000
"""Values of an example from which on the edge inputs take too long; what they show, a smaller image shows too."""


def _half_zero(x: Array) -> Array:
    flat = np.arange(x.size).reshape(x.shape)
    return np.where(flat % 2 == 0, 0.0, x)


def _spread(largest: float) -> Callable[[Array], Array]:
    """Values up to this size of both signs, the ends among them."""

    def make(x: Array) -> Array:
        values = np.sign(x) * largest * np.minimum(np.abs(x) / max(float(np.abs(x).max()), 1e-300) * 1.2, 1.0)
        return values.astype(np.float32).astype(np.float64)

    return make


def larger_images(layer: specs.LayerSpec, shape: Shape) -> EdgeCase | None:
    """Images of another size and the same proportions, to find out whether the layer takes any; None for no image."""
    if len(shape) != 3 or not isinstance(layer, _ANY_SIZE):
        return None
    step = _steps(layer)
    return EdgeCase("larger images", (shape[0] + 2 * step[0], shape[1] + 2 * step[1], shape[2]))


_WINDOWS = (specs.Conv2D, specs.MaxPooling2D, specs.AveragePooling2D)
_MAXIMA = (specs.MaxPooling2D, specs.GlobalMaxPooling2D, specs.MaxPooling1D, specs.GlobalMaxPooling1D)
_ANY_SIZE = (*_WINDOWS, specs.GlobalAveragePooling2D, specs.GlobalMaxPooling2D, specs.ZeroPadding2D)


def _steps(layer: specs.LayerSpec) -> tuple[int, int]:
    strides: tuple[int, int] = getattr(layer, "strides", (1, 1))
    return strides


def other_sizes(layer: specs.LayerSpec, shape: Shape) -> Iterator[EdgeCase]:
    """Images that are not square, and of the other parity."""
    height, width, channels = shape
    down, across = _steps(layer)
    yield EdgeCase("images wider than high", (height, height + 2 * across, channels))
    yield EdgeCase("images higher than wide", (width + 2 * down, width, channels))
    yield EdgeCase("images of odd and even sizes", (height + 1, width + 1, channels), may_raise=True)


def edge_cases(layer: specs.LayerSpec, shape: Shape, training: bool) -> Iterator[EdgeCase]:
    """The cases of the claimed shape, for one layer."""
    activation = getattr(layer, "activation", None)
    if isinstance(layer, specs.Activation):
        if activation != "step":
            yield EdgeCase("zeros among the inputs", make=_half_zero)
            yield EdgeCase(f"values up to {MODERATE:g}", make=_spread(MODERATE))
            if activation != "exponential":  # which no number is beyond 709, or 88 in float32
                yield EdgeCase(f"values up to {LARGE:g}", make=_spread(LARGE), only_values=activation != "softmax")
    elif isinstance(layer, (specs.ReLU, specs.LeakyReLU, specs.ELU)):
        beyond = _beyond_bends(layer)
        yield EdgeCase("zeros among the inputs", make=_half_zero)
        yield EdgeCase(f"values up to {max(MODERATE, beyond):g}", make=_spread(max(MODERATE, beyond)))
        yield EdgeCase(f"values up to {max(LARGE, beyond):g}", make=_spread(max(LARGE, beyond)), only_values=True)
    if isinstance(layer, specs.Activation):
        if activation == "softmax":
            yield EdgeCase("equal logits", make=lambda x: np.zeros_like(x))
    elif activation == "softmax" or isinstance(layer, specs.Softmax):
        yield EdgeCase("large logits", make=_spread(LARGE))
    if isinstance(layer, _MAXIMA):
        images = "images" if len(shape) == 3 else "sequences"
        yield EdgeCase(f"all-zero {images}", make=lambda x: np.zeros_like(x))
        yield EdgeCase(f"{images} of whole numbers, with ties", make=lambda x: np.clip(np.rint(x), -1, 1))
        yield EdgeCase(f"negative {images}", make=lambda x: -np.abs(x) - 1)
        yield EdgeCase(f"negative {images} below {-LARGE:g}", make=lambda x: -np.abs(x) - LARGE)
    if isinstance(layer, (*_WINDOWS, specs.GlobalAveragePooling2D)) and len(shape) == 3:
        yield EdgeCase("constant images", make=_constant_images)
    if isinstance(layer, specs.BatchNormalization) and training:
        yield EdgeCase("a feature that is zero throughout", make=_dead_feature)
    if isinstance(layer, specs.PReLU):
        yield EdgeCase("zeros among the inputs", make=_half_zero)
    if isinstance(layer, (specs.Dense, specs.Conv2D)):
        yield EdgeCase("zeros among the inputs", make=_half_zero)
    if isinstance(layer, _OF_ANY_SIZE) and (activation or "linear") in ("linear", "relu", "leaky_relu"):
        # Nothing in between may clip them
        words = f"values and gradients up to {LARGE:g}"
        yield EdgeCase(words, make=_spread(LARGE), cotangent_factor=LARGE)
    if isinstance(layer, (specs.UnitNormalization, specs.LayerNormalization)):
        yield EdgeCase("an example that is zero throughout", make=_dead_example, forward_only=True)
    if isinstance(layer, specs.Dropout):
        if training:
            yield EdgeCase("a second call", second_call=True)
            yield EdgeCase("a second step", second_call=True, second_step=True)
        return
    if not (isinstance(layer, specs.BatchNormalization) and training):
        yield EdgeCase("one example", batch=1, may_raise=True)
    yield EdgeCase("memory that is not contiguous", contiguous=False, may_raise=True)
    yield EdgeCase("a second call", second_call=True)
    yield EdgeCase("a call after one with more examples", second_call=True, batch_before=7, may_raise=True)
    yield EdgeCase("a second step", second_call=True, second_step=True)


_OF_ANY_SIZE = (
    *(specs.Dense, specs.Conv1D, specs.Conv2D, specs.DepthwiseConv2D, specs.Conv2DTranspose, specs.BatchNormalization),
    *(specs.LayerNormalization, specs.MaxPooling2D, specs.AveragePooling2D, specs.GlobalAveragePooling2D),
    *(specs.GlobalMaxPooling2D, specs.Flatten, specs.Reshape, specs.ZeroPadding2D, specs.Rescaling, specs.PReLU),
)
"""Layers that scale with what they are given, so that large numbers are as good as any."""


def _beyond_bends(layer: specs.LayerSpec) -> float:
    """Twice as far as the places where the function of the claim bends."""
    return 2 * max(abs(getattr(layer, name, None) or 0.0) for name in ("max_value", "threshold"))


def _dead_example(x: Array) -> Array:
    dead = x.copy()
    dead[0] = 0
    return dead


def _dead_feature(x: Array) -> Array:
    dead = x.copy()
    dead[..., 0] = 0
    return dead
