"""DepthwiseConv2D, drawn at random; its rounding rule is that of convolutions in groups (``in_groups``)."""

from __future__ import annotations

from bridge.judge.layers.form import PENALTIES, Some, draw_activation, draw_window
from model_spec import DepthwiseConv2D
from model_spec.shapes import Shape


def draw(some: Some, shape: Shape) -> DepthwiseConv2D:
    """A strided, dilated or plain convolution of one or two outputs for a channel."""
    kind = some.of(("plain", "strided", "dilated"))
    stride = some.integer(1, 3) if kind == "strided" else 1
    dilation = (some.integer(1, 3), some.integer(1, 3)) if kind == "dilated" else (1, 1)
    window, padding = draw_window(some, shape, dilation)
    if window == (1, 1):
        # Of one channel it is a Conv2D to TensorFlow, and crashes as ``conv2d.draw`` tells
        stride = 1
    multiplier = some.integer(1, 2)
    return DepthwiseConv2D(
        window,
        (stride, stride),
        padding,
        multiplier,
        dilation,
        draw_activation(some, shape[-1] * multiplier),
        use_bias=not some.rarely(),
        depthwise_regularizer=some.of(PENALTIES),
        bias_regularizer=some.of(PENALTIES),
        trainable=not some.rarely(),
    )
