"""Layers over steps: the rounding of the layer over images, on images of one row, and random drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.judge.layers.form import Some, draw_activation, draw_weighted
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding, Rule
from core_numpy.contract import Array
from core_numpy.layers.over_steps import OverSteps, of_steps, rows_of, with_row, without_row
from model_spec import Conv1D, ZeroPadding1D
from model_spec.layers.pooling1d import Pooling1D
from model_spec.shapes import Shape, window_extent


@dataclass(frozen=True)
class OverStepsRule:
    """The rule of the layer over images."""

    on_images: Rule

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return without_row(self.on_images.forward(rounding, _image_trace(trace)))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        given = Cotangent(rows_of(cotangent.value), rows_of(cotangent.variance), rows_of(cotangent.kink))
        found = self.on_images.backward(rounding, _image_trace(trace), given, rows_of(dx))
        return BackwardError(
            without_row(found.variance),
            without_row(found.kink),
            of_steps(found.parameter_variances),
            of_steps(found.parameter_kinks),
            found.uncertain,
        )


def _image_trace(trace: LayerTrace) -> LayerTrace:
    layer = trace.layer
    if not isinstance(layer, OverSteps):
        raise TypeError(f"a layer over steps was expected, got {type(layer).__name__}")
    # (n, steps, c) -> (n, 1, steps, c)
    return replace(
        trace,
        layer=layer.on_images,
        params=with_row(trace.params),
        x=rows_of(trace.x),
        x_variance=rows_of(trace.x_variance),
        y=rows_of(trace.y),
        y_variance=rows_of(trace.y_variance),
    )


def draw_convolution(some: Some, shape: Shape) -> Conv1D:
    """A strided, dilated or plain convolution of at most 5 filters; strided ones of one step crash TensorFlow."""
    padding = some.of(("valid", "same", "causal"))
    kind = some.of(("plain", "strided", "dilated"))
    dilation = some.integer(1, 3) if kind == "dilated" else 1
    fitting = [size for size in (1, 2, 3) if padding != "valid" or window_extent(size, dilation) <= shape[0]]
    size = some.integer(1, max(fitting))
    stride = some.integer(1, 3) if kind == "strided" and size > 1 else 1
    filters = some.integer(1, 5)
    groups = shape[-1] if filters % shape[-1] == 0 and some.rarely() else 1
    return Conv1D(
        filters,
        size,
        stride,
        padding,
        dilation,
        activation=draw_activation(some, filters),
        groups=groups,
        **draw_weighted(some),
    )


def drawing(kind: type[Pooling1D]) -> Callable[[Some, Shape], Pooling1D]:
    """Draws a pooling over windows of this kind."""

    def draw(some: Some, shape: Shape) -> Pooling1D:
        padding = some.of(("valid", "same"))
        size = some.integer(1, min(3, shape[0]) if padding == "valid" else 3)
        return kind(size, None if some.boolean() else some.integer(1, 3), padding)

    return draw


def draw_zero_padding(some: Some, shape: Shape) -> ZeroPadding1D:
    """Up to two steps on each side."""
    return ZeroPadding1D((some.integer(0, 2), some.integer(0, 2)))
