"""The table of rounding rules: one for every from-scratch layer."""

from __future__ import annotations

from bridge.judge.bounds.activation import ActivationRule
from bridge.judge.bounds.batch_normalization import BatchNormalizationRule
from bridge.judge.bounds.linear import LinearRule
from bridge.judge.bounds.pooling import (
    AveragePoolingRule,
    GlobalAveragePoolingRule,
    GlobalMaxPoolingRule,
    MaxPoolingRule,
)
from bridge.judge.bounds.reshaping import MovingRule, ScalingRule
from bridge.judge.bounds.rounding import Rule
from core_numpy.contract import Layer
from core_numpy.layers.activation import Activation
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D, GlobalMaxPooling2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Rescaling, Reshape, ZeroPadding2D


def rule_of(layer: Layer) -> Rule:
    """The rule of a layer, or of the layer it varies."""
    for kind in type(layer).__mro__:
        if kind in RULES:
            return RULES[kind]
    raise ValueError(f"no rounding rule for {type(layer).__name__}; add one to bridge/judge/bounds/rules.py")


RULES: dict[type[Layer], Rule] = {
    Dense: LinearRule(),
    Conv2D: LinearRule(),
    Activation: ActivationRule(),
    Reshape: MovingRule(),
    ZeroPadding2D: MovingRule(),
    Rescaling: ScalingRule(),
    Dropout: ScalingRule(),
    MaxPooling2D: MaxPoolingRule(),
    AveragePooling2D: AveragePoolingRule(),
    GlobalAveragePooling2D: GlobalAveragePoolingRule(),
    GlobalMaxPooling2D: GlobalMaxPoolingRule(),
    BatchNormalization: BatchNormalizationRule(),
}
