"""DepthwiseConv2D: rounding, which is that of a Conv2D in each channel, and random drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.judge.layers.form import PENALTIES, Some, draw_activation, draw_window
from bridge.judge.layers.linear import LinearRule
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D as FromScratch
from model_spec import DepthwiseConv2D
from model_spec.shapes import Shape


class DepthwiseRule:
    """y = sum(x k) + bias over the windows of one channel."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return np.concatenate([LinearRule().forward(rounding, part) for part in _channels(trace)], axis=-1)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer = _layer(trace)
        errors = []
        for at, part in enumerate(_channels(trace)):
            own = layer.outputs_of(at)
            of_channel = replace(
                cotangent,
                value=cotangent.value[..., own],
                variance=cotangent.variance[..., own],
                kink=cotangent.kink[..., own],
            )
            errors.append(LinearRule().backward(rounding, part, of_channel, dx[..., at : at + 1]))
        return BackwardError(
            np.concatenate([np.asarray(error.variance) for error in errors], axis=-1),
            np.concatenate([np.asarray(error.kink) for error in errors], axis=-1),
            layer.joined([error.parameter_variances for error in errors]),
            layer.joined([error.parameter_kinks for error in errors]),
        )


def _layer(trace: LayerTrace) -> FromScratch:
    layer = trace.layer
    if not isinstance(layer, FromScratch):
        raise TypeError(f"a DepthwiseConv2D was expected, got {type(layer).__name__}")
    return layer


def _channels(trace: LayerTrace) -> list[LayerTrace]:
    """The convolution of each channel in this pass."""
    layer = _layer(trace)
    return [
        replace(
            trace,
            layer=layer.of_one_channel,
            params=layer.variables_of(trace.params, at),
            x=trace.x[..., at : at + 1],
            x_variance=trace.x_variance[..., at : at + 1],
            y=trace.y[..., layer.outputs_of(at)],
            y_variance=trace.y_variance[..., layer.outputs_of(at)],
        )
        for at in range(trace.x.shape[-1])
    ]


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
