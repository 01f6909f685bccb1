"""Conv2D, drawn at random, but for what crashes TensorFlow; its rounding rule is ``linear``."""

from __future__ import annotations

from bridge.judge.layers.form import Some, draw_activation, draw_weighted, draw_window
from model_spec import Conv2D
from model_spec.shapes import Padding, Shape, axis_padding, output_size

_FILTERS = 5


def draw(some: Some, shape: Shape) -> Conv2D:
    """A strided, dilated or plain convolution of at most 5 filters."""
    kind = some.of(("plain", "strided", "dilated"))
    strides = (some.integer(1, 3), some.integer(1, 3)) if kind == "strided" else (1, 1)
    dilation = (some.integer(1, 3), some.integer(1, 3)) if kind == "dilated" else (1, 1)
    window, padding = draw_window(some, shape, dilation)
    if window == (1, 1):
        # TensorFlow 2.21 on CPU writes past a buffer in the filter gradient of a strided 1x1 float32 convolution of few
        # channels and corrupts the process (oneDNN issue 6035, open in 2026): not a difference, but a crash
        strides = (1, 1)
    if shape[-1] == 1 and strides[0] == 1 and strides[1] > 1 and _is_tall_column(shape, window, strides, padding):
        # TensorFlow 2.21 with oneDNN gives garbage (up to 1e32) for these float32 convolutions: one input channel,
        # stride along the width only, and outputs one cell wide; TF_ENABLE_ONEDNN_OPTS=0 gives the right values
        strides = (1, 1)
    filters = some.integer(1, _FILTERS)
    groups = shape[-1] if filters % shape[-1] == 0 and some.rarely() else 1
    return Conv2D(
        filters,
        window,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        activation=draw_activation(some, filters),
        groups=groups,
        **draw_weighted(some),
    )


def _is_tall_column(shape: Shape, window: tuple[int, int], strides: tuple[int, int], padding: Padding) -> bool:
    height, width = (output_size(shape[a], window[a], strides[a], axis_padding(padding, a)) for a in (0, 1))
    return width == 1 and height > 1
