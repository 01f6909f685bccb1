"""Which block runs a step: the fastest one that fits the layer, the layout and the blocks around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core_numpy.contract import Layer
from core_numpy.engine import activations, dense, elementwise, pooling
from core_numpy.engine.batch_normalization import BatchNormalization
from core_numpy.engine.block import Block, BuildContext
from core_numpy.engine.convolution import Convolution
from core_numpy.engine.depthwise_convolution import DepthwiseConvolution, is_fast
from core_numpy.engine.few_images import FewImagesConvolution, FewImagesMaxPooling
from core_numpy.engine.fused_epilogues import StripMaxPooling, StripRelu
from core_numpy.engine.merging import Add, Concatenate, ReferenceMerge
from core_numpy.engine.reference import ReferenceLayer
from core_numpy.engine.softmax import Softmax
from core_numpy.engine.winograd import WinogradConvolution, tile_for
from core_numpy.layers import batch_normalization, merging
from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.depthwise_conv2d import DepthwiseConv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.global_pooling import GlobalAveragePooling2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.layers.reshaping import Rescaling, Reshape
from model_spec import Flatten

ACTIVATIONS: dict[str, type[Block]] = {
    "relu": activations.Relu,
    "tanh": activations.Tanh,
    "sigmoid": activations.Sigmoid,
    "elu": activations.Elu,
    "softmax": Softmax,
}
"""Activations with a block of their own."""


def block_for(
    steps: Sequence[Step],
    at: int,
    sources: Sequence[Block],
    context: BuildContext,
    readers: Sequence[Sequence[int]],
    alone: bool,
) -> Block:
    """The fastest block for a step that reads these blocks; ``alone`` says that nobody else reads them."""
    layer, source = steps[at].layer, sources[0]
    is_vector = source.y.ndim == 2
    match layer:
        case merging.Add():
            return Add(layer, sources, context)
        case merging.Concatenate():
            return Concatenate(layer, sources, context)
        case _ if steps[at].merges:
            return ReferenceMerge(layer, sources, context)
        case Conv2D() if context.layout.batch_last and layer.spec.dilation_rate[1] == 1:
            follows = steps[at + 1].layer if readers[at + 1] == [at + 1] else None
            height, width, channels, _ = source.y.shape
            windows = layer.windows(np.empty((1, height, width, 0)))
            pooled = _pooled_windows(windows.output, follows)
            tile = tile_for(windows, channels, layer.spec.filters)
            if tile is None:
                return Convolution(layer, source, context, pooled)
            if pooled is not None and windows.output[1] % pooled[1]:
                pooled = None  # tiles take all columns, of which this pooling leaves some out
            return WinogradConvolution(layer, source, context, tile, pooled)
        case MaxPooling2D() if isinstance(source, Convolution) and source.pooled:
            return StripMaxPooling(layer, source, context)
        case Activation() if layer.spec.activation == "relu" and alone and _is_in_strips(source, context):
            convolution = source if isinstance(source, Convolution) else source.source
            return StripRelu(layer, source, context, convolution)  # type: ignore[arg-type]
        case Conv2D() if not context.layout.batch_last and not context.training:
            feeds_pooling = readers[at + 1] == [at + 1] and isinstance(steps[at + 1].layer, MaxPooling2D)
            return FewImagesConvolution(layer, source, context, feeds_pooling)
        case MaxPooling2D() if isinstance(source, FewImagesConvolution) and alone:
            return FewImagesMaxPooling(layer, source, context)
        case DepthwiseConv2D() if is_fast(layer):
            return DepthwiseConvolution(layer, source, context)
        case Dense() if is_vector:
            return dense.Dense(layer, source, context)
        case MaxPooling2D():
            return pooling.MaxPooling(layer, source, context)
        case AveragePooling2D():
            return pooling.AveragePooling(layer, source, context)
        case GlobalAveragePooling2D() if not layer.spec.keepdims:
            return pooling.GlobalAveragePooling(layer, source, context)
        case Dropout():
            return elementwise.Dropout(layer, source, context)
        # Of a function along the last axis the values of an example do not lie beside each other
        case Activation() if layer.spec.activation != "log_softmax":
            return ACTIVATIONS.get(layer.spec.activation, activations.Function)(layer, source, context)
        case Rescaling():
            return elementwise.Rescaling(layer, source, context)
        case Reshape() if isinstance(layer.spec, Flatten):
            return elementwise.Flatten(layer, source, context)
        case batch_normalization.BatchNormalization():
            return BatchNormalization(layer, source, context)
    example = context.layout.to_rows(source.y).shape[1:]
    return ReferenceLayer(layer, source, context, layer.spec.output_shape(example))


def _pooled_windows(image: tuple[int, int], follows: Layer | None) -> tuple[int, int] | None:
    """Height and width of the windows of a pooling behind a convolution that can take its strips; None of others."""
    if not isinstance(follows, MaxPooling2D):
        return None
    windows = follows.windows(np.empty((1, *image, 0)))
    apart = windows.strides == windows.window and windows.padding_cells == ((0, 0), (0, 0))
    return windows.window if apart and windows.window[0] > 1 else None


def _is_in_strips(source: Block, context: BuildContext) -> bool:
    """True where a relu can follow the block strip by strip, in its buffer."""
    return isinstance(source, (Convolution, StripMaxPooling)) and source.context.border == context.border
