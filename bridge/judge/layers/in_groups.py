"""Rounding in convolutions in groups: that of a Conv2D in each group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.judge.layers.linear import LinearRule
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from core_numpy.layers.in_groups import ConvolutionInGroups


class InGroupsRule:
    """y = sum(x k) + bias over the windows of one group; of a layer without groups, over all channels."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        if not isinstance(trace.layer, ConvolutionInGroups):
            return LinearRule().forward(rounding, trace)
        return np.concatenate([LinearRule().forward(rounding, part) for part in _groups(trace.layer, trace)], axis=-1)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer = trace.layer
        if not isinstance(layer, ConvolutionInGroups):
            return LinearRule().backward(rounding, trace, cotangent, dx)
        groups = layer.groups(trace.x.shape[-1])
        gradients = zip(
            *(layer.parts(value, groups) for value in (cotangent.value, cotangent.variance, cotangent.kink)),
            strict=True,
        )
        errors = [
            LinearRule().backward(rounding, part, Cotangent(*gradient), of_dx)
            for part, gradient, of_dx in zip(_groups(layer, trace), gradients, layer.parts(dx, groups), strict=True)
        ]
        return BackwardError(
            np.concatenate([np.asarray(error.variance) for error in errors], axis=-1),
            np.concatenate([np.asarray(error.kink) for error in errors], axis=-1),
            layer.joined([error.parameter_variances for error in errors]),
            layer.joined([error.parameter_kinks for error in errors]),
        )


def _groups(layer: ConvolutionInGroups, trace: LayerTrace) -> list[LayerTrace]:
    """The convolution of each group in this pass."""
    groups = layer.groups(trace.x.shape[-1])
    names = ("x", "x_variance", "y", "y_variance")
    parts = zip(*(layer.parts(getattr(trace, name), groups) for name in names), strict=True)
    return [
        replace(trace, layer=layer.of_one_group, params=own, **dict(zip(names, values, strict=True)))
        for own, values in zip(layer.variables(trace.params, groups), parts, strict=True)
    ]
