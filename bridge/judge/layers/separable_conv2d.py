"""SeparableConv2D: the rounding of its two convolutions, one behind the other, and random drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.judge.layers import depthwise_conv2d
from bridge.judge.layers.form import PENALTIES, Some, draw_activation
from bridge.judge.layers.in_groups import InGroupsRule
from bridge.judge.layers.linear import LinearRule
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.layers.separable_conv2d import SeparableConv2D as FromScratch
from model_spec import SeparableConv2D
from model_spec.shapes import Shape

_DEPTHWISE, _POINTWISE = InGroupsRule(), LinearRule()


class SeparableRule:
    """y = sum(z k) + bias over the channels of z, which are sums over the windows of each channel of x."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        return _POINTWISE.forward(rounding, _traces(rounding, trace)[1])

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer = _layer(trace)
        depthwise, pointwise = _traces(rounding, trace)
        between = pointwise.pull(cotangent.value)
        second = _POINTWISE.backward(rounding, pointwise, cotangent, between)
        arrived = Cotangent(between, second.variance, second.kink)
        first = _DEPTHWISE.backward(rounding, depthwise, arrived, dx)
        return BackwardError(
            first.variance,
            first.kink,
            layer.joined(first.parameter_variances, second.parameter_variances),
            layer.joined(first.parameter_kinks, second.parameter_kinks),
        )


def _layer(trace: LayerTrace) -> FromScratch:
    layer = trace.layer
    if not isinstance(layer, FromScratch):
        raise TypeError(f"a SeparableConv2D was expected, got {type(layer).__name__}")
    return layer


def _traces(rounding: Rounding, trace: LayerTrace) -> tuple[LayerTrace, LayerTrace]:
    """The two convolutions in this pass."""
    layer = _layer(trace)
    first = replace(trace, layer=layer.depthwise, params=layer.of_depthwise(trace.params))
    between = first.run(trace.x)
    first = replace(first, y=between, y_variance=np.zeros_like(between))
    variance = _DEPTHWISE.forward(rounding, first)
    second = replace(
        trace,
        layer=layer.pointwise,
        params=layer.of_pointwise(trace.params),
        x=between,
        x_variance=variance,
    )
    return replace(first, y_variance=variance), second


def draw(some: Some, shape: Shape) -> SeparableConv2D:
    """The windows of a random DepthwiseConv2D, and at most 4 filters."""
    windows = depthwise_conv2d.draw(some, shape)
    filters = some.integer(1, 4)
    return SeparableConv2D(
        filters,
        windows.kernel_size,
        windows.strides,
        windows.padding,
        windows.dilation_rate,
        windows.depth_multiplier,
        draw_activation(some, filters),
        windows.use_bias,
        depthwise_regularizer=windows.depthwise_regularizer,
        pointwise_regularizer=some.of(PENALTIES),
        bias_regularizer=windows.bias_regularizer,
        trainable=windows.trainable,
    )
