"""From-scratch layers, one a file: the table of them; ``build.py`` makes the steps of a network."""

from __future__ import annotations

from core_numpy.contract import Layer
from model_spec import layers as specs
from model_spec.layers.ends import ENDS as SPECS_OF_ENDS
from model_spec.lazy_table import LazyTable

LAYERS: LazyTable[type[Layer]] = LazyTable(
    "core_numpy.layers",
    {
        "Dense": "dense",
        "Conv2D": "conv2d",
        "GroupedConv2D": "grouped_conv2d",
        "DepthwiseConv2D": "depthwise_conv2d",
        "SeparableConv2D": "separable_conv2d",
        "Conv2DTranspose": "conv2d_transpose",
        "Conv1D": "over_steps.OverSteps",
        "MaxPooling1D": "over_steps.OverSteps",
        "AveragePooling1D": "over_steps.OverSteps",
        "GlobalAveragePooling1D": "over_steps.OverSteps",
        "GlobalMaxPooling1D": "over_steps.OverSteps",
        "MaxPooling2D": "pooling",
        "AveragePooling2D": "pooling",
        "GlobalAveragePooling2D": "global_pooling",
        "GlobalMaxPooling2D": "global_pooling",
        "Cropping2D": "cropping2d",
        "ZeroPadding1D": "over_steps.OverSteps",
        "ZeroPadding2D": "reshaping",
        "UpSampling2D": "up_sampling2d",
        "Flatten": "reshaping.Reshape",
        "Reshape": "reshaping",
        "Permute": "permute",
        "RepeatVector": "repeat_vector",
        "Rescaling": "reshaping",
        "Dropout": "dropout",
        "BatchNormalization": "batch_normalization",
        "LayerNormalization": "layer_normalization",
        "GroupNormalization": "group_normalization",
        "UnitNormalization": "unit_normalization",
        "Normalization": "normalization",
        "Activation": "activation",
        "PReLU": "prelu",
        "LeakyReLU": "leaky_relu",
        "ELU": "elu",
        "ReLU": "relu",
        "Softmax": "softmax",
        "Add": "merging",
        "Subtract": "merging",
        "Multiply": "merging",
        "Average": "merging",
        "Maximum": "merging",
        "Minimum": "merging",
        "Concatenate": "merging",
    },
)
"""The file, in this folder, of the layer that computes each specification."""


def build_layer(spec: specs.LayerSpec) -> Layer:
    """Return the from-scratch layer of a layer specification.

    Raises:
        ValueError: a layer this backend does not know, with the list of those it knows.
    """
    name = type(spec).__name__
    if SPECS_OF_ENDS.get(name) is type(spec):
        from core_numpy.layers import ends  # few networks have several inputs or outputs

        return ends.ENDS[name](spec)
    if name not in LAYERS or specs.LAYERS.get(name) is not type(spec):
        raise ValueError(f"layer {spec.name!r}: core_numpy has no {name}; it has {', '.join(LAYERS)}")
    if name == "Conv2D" and spec.groups > 1:  # type: ignore[attr-defined]
        name = "GroupedConv2D"
    return LAYERS[name](spec)
