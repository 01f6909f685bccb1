"""The layers as the judge knows them, one a file with rounding rule and random drawing: the table of them."""

from __future__ import annotations

from bridge.judge.layers import (
    activation,
    batch_normalization,
    conv2d,
    conv2d_transpose,
    convolution_by_tiles,
    cropping2d,
    dense,
    depthwise_conv2d,
    elu,
    group_normalization,
    in_groups,
    layer_normalization,
    leaky_relu,
    merging,
    normalization,
    over_steps,
    permute,
    pooling,
    prelu,
    relu,
    repeat_vector,
    reshaping,
    separable_conv2d,
    softmax,
    unit_normalization,
    up_sampling2d,
)
from bridge.judge.layers.form import JudgedLayer
from bridge.judge.layers.linear import LinearRule
from bridge.judge.rounding import Rule
from core_numpy.contract import Layer
from model_spec import layers as specs
from model_spec.layers.ends import InputPart, Outputs

# What takes the fewest draws comes first: a layer that does not matter shrinks into it, and is then left out
LAYERS: dict[type[specs.LayerSpec], JudgedLayer] = {
    specs.Dropout: JudgedLayer(reshaping.ScalingRule(), reshaping.draw_dropout),
    specs.Activation: JudgedLayer(activation.ActivationRule(), activation.draw),
    specs.Rescaling: JudgedLayer(reshaping.ScalingRule(), reshaping.draw_rescaling),
    specs.BatchNormalization: JudgedLayer(batch_normalization.BatchNormalizationRule(), batch_normalization.draw),
    specs.LayerNormalization: JudgedLayer(layer_normalization.LayerNormalizationRule(), layer_normalization.draw),
    specs.GroupNormalization: JudgedLayer(group_normalization.GroupNormalizationRule(), group_normalization.draw),
    specs.UnitNormalization: JudgedLayer(unit_normalization.UnitNormalizationRule(), unit_normalization.draw),
    specs.ELU: JudgedLayer(elu.ELURule(), elu.draw),
    specs.LeakyReLU: JudgedLayer(leaky_relu.LeakyReLURule(), leaky_relu.draw),
    specs.ReLU: JudgedLayer(relu.ReLURule(), relu.draw),
    specs.Softmax: JudgedLayer(softmax.SoftmaxRule(), softmax.draw),
    specs.PReLU: JudgedLayer(prelu.PReLURule(), prelu.draw),
    specs.Dense: JudgedLayer(LinearRule(), dense.draw, ("image", "row", "row", "steps")),
    specs.Flatten: JudgedLayer(reshaping.MovingRule(), lambda some, shape: specs.Flatten(), ("end", "end of steps")),
    specs.GlobalAveragePooling2D: JudgedLayer(
        pooling.GlobalAveragePoolingRule(), lambda some, shape: specs.GlobalAveragePooling2D(), ("end",)
    ),
    specs.GlobalMaxPooling2D: JudgedLayer(
        pooling.GlobalMaxPoolingRule(), lambda some, shape: specs.GlobalMaxPooling2D(), ("end",), routes_gradient=True
    ),
    specs.Reshape: JudgedLayer(reshaping.MovingRule(), reshaping.draw_reshape),
    specs.Normalization: JudgedLayer(normalization.NormalizationRule(), normalization.draw),
    specs.Permute: JudgedLayer(reshaping.MovingRule(), permute.draw),
    specs.RepeatVector: JudgedLayer(up_sampling2d.RepeatingRule(), repeat_vector.draw, ("row",)),
    specs.ZeroPadding2D: JudgedLayer(reshaping.MovingRule(), reshaping.draw_zero_padding, ("image",)),
    specs.UpSampling2D: JudgedLayer(up_sampling2d.UpSamplingRule(), up_sampling2d.draw, ("image",)),
    specs.Cropping2D: JudgedLayer(reshaping.MovingRule(), cropping2d.draw, ("image",)),
    specs.ZeroPadding1D: JudgedLayer(reshaping.MovingRule(), over_steps.draw_zero_padding, ("steps",)),
    specs.AveragePooling2D: JudgedLayer(
        pooling.AveragePoolingRule(), pooling.drawing(specs.AveragePooling2D), ("image",) * 2
    ),
    specs.MaxPooling2D: JudgedLayer(
        pooling.MaxPoolingRule(), pooling.drawing(specs.MaxPooling2D), ("image",) * 2, routes_gradient=True
    ),
    specs.Conv2D: JudgedLayer(convolution_by_tiles.TiledRule(), conv2d.draw, ("image",) * 3),
    specs.Conv2DTranspose: JudgedLayer(conv2d_transpose.TransposedRule(), conv2d_transpose.draw, ("image",)),
    specs.DepthwiseConv2D: JudgedLayer(in_groups.InGroupsRule(), depthwise_conv2d.draw, ("image",)),
    specs.SeparableConv2D: JudgedLayer(separable_conv2d.SeparableRule(), separable_conv2d.draw, ("image",)),
    specs.GlobalAveragePooling1D: JudgedLayer(
        over_steps.OverStepsRule(pooling.GlobalAveragePoolingRule()),
        lambda some, shape: specs.GlobalAveragePooling1D(),
        ("end of steps",),
    ),
    specs.GlobalMaxPooling1D: JudgedLayer(
        over_steps.OverStepsRule(pooling.GlobalMaxPoolingRule()),
        lambda some, shape: specs.GlobalMaxPooling1D(),
        ("end of steps",),
        routes_gradient=True,
    ),
    specs.AveragePooling1D: JudgedLayer(
        over_steps.OverStepsRule(pooling.AveragePoolingRule()), over_steps.drawing(specs.AveragePooling1D), ("steps",)
    ),
    specs.MaxPooling1D: JudgedLayer(
        over_steps.OverStepsRule(pooling.MaxPoolingRule()),
        over_steps.drawing(specs.MaxPooling1D),
        ("steps",),
        routes_gradient=True,
    ),
    specs.Conv1D: JudgedLayer(
        over_steps.OverStepsRule(in_groups.InGroupsRule()), over_steps.draw_convolution, ("steps",) * 2
    ),
    specs.Add: JudgedLayer(merging.LinearMergeRule(), merging.drawing(specs.Add), ("merge",)),
    specs.Concatenate: JudgedLayer(merging.ConcatenateRule(), merging.draw_concatenate, ("merge",)),
    specs.Subtract: JudgedLayer(merging.LINEAR, merging.drawing(specs.Subtract), ("merge",)),
    specs.Multiply: JudgedLayer(merging.PRODUCT, merging.drawing(specs.Multiply), ("merge",)),
    specs.Average: JudgedLayer(merging.LinearMergeRule(), merging.drawing(specs.Average), ("merge",)),
    specs.Maximum: JudgedLayer(merging.EXTREME, merging.drawing(specs.Maximum), ("merge",)),
    specs.Minimum: JudgedLayer(merging.EXTREME, merging.drawing(specs.Minimum), ("merge",)),
}


ENDS: dict[type[specs.LayerSpec], JudgedLayer] = {
    InputPart: JudgedLayer(reshaping.MovingRule(), lambda some, shape: InputPart(shape), ()),
    Outputs: JudgedLayer(merging.ConcatenateRule(), lambda some, shape: Outputs(), ()),
}
"""The ends of networks with several inputs or outputs, which move values; they are drawn by the network."""


def judged(layer: Layer) -> JudgedLayer:
    """What the judge knows of the layer that a from-scratch layer computes or varies.

    Raises:
        ValueError: a layer that is not in the table.
    """
    kind = type(layer.spec)
    if kind in ENDS:
        return ENDS[kind]
    if kind not in LAYERS:
        raise ValueError(f"no rounding rule for {kind.__name__}; add a line to LAYERS in bridge/judge/layers")
    return LAYERS[kind]


def rule_of(layer: Layer) -> Rule:
    """The rounding rule of a from-scratch layer."""
    return judged(layer).rule
