"""Layers as other frameworks and books define them: the table of one convention changed at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.conventions.batch_normalization import OutsideEpsilonBatchNormalization, UnbiasedBatchNormalization
from bridge.conventions.dropout import ScaledInferenceDropout, UninvertedDropout
from bridge.conventions.flatten import ChannelsFirstFlatten
from bridge.conventions.kernels import FlippedConv2D, OihwConv2D, SwappedConv2D, TransposedDense
from bridge.conventions.windows import (
    BeforeAveragePooling2D,
    BeforeConv2D,
    BeforeMaxPooling2D,
    PaddingCountedAveragePooling2D,
)
from core_numpy.contract import Layer
from core_numpy.layers.batch_normalization import BatchNormalization
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from model_spec import Flatten


@dataclass(frozen=True)
class LayerConvention:
    """One other way to define a layer.

    Attributes:
        name: short, for reports.
        who: where the convention is found.
        make: gives the changed layer, or None where the convention changes nothing for this layer.
    """

    name: str
    who: str
    make: Callable[[Layer], Layer | None]


def _of(kind: type[Layer], changed: type[Layer]) -> Callable[[Layer], Layer | None]:
    return lambda layer: changed(layer.spec) if type(layer) is kind else None


def _of_images(layer: Layer) -> Layer | None:
    return ChannelsFirstFlatten(layer.spec) if isinstance(layer.spec, Flatten) else None


def _before(layer: Layer) -> Layer | None:
    kinds: dict[type[Layer], type[Layer]] = {
        Conv2D: BeforeConv2D,
        MaxPooling2D: BeforeMaxPooling2D,
        AveragePooling2D: BeforeAveragePooling2D,
    }
    changed = kinds.get(type(layer))
    return changed(layer.spec) if changed and layer.spec.padding == "same" else None  # type: ignore[attr-defined]


def _other_epsilon(epsilon: float) -> Callable[[Layer], Layer | None]:
    def make(layer: Layer) -> Layer | None:
        if type(layer) is not BatchNormalization or layer.spec.epsilon == epsilon:
            return None
        return BatchNormalization(replace(layer.spec, epsilon=epsilon))

    return make


LAYER_CONVENTIONS: tuple[LayerConvention, ...] = (
    LayerConvention("flipped kernel", "signal processing: a true convolution", _of(Conv2D, FlippedConv2D)),
    LayerConvention("kernel height and width swapped", "column-major sources", _of(Conv2D, SwappedConv2D)),
    LayerConvention("kernel memory in OIHW order", "PyTorch, Chainer, the books", _of(Conv2D, OihwConv2D)),
    LayerConvention("kernel memory in (units, inputs) order", "PyTorch's Linear", _of(Dense, TransposedDense)),
    LayerConvention("SAME padding with the odd cell before", "Caffe, ONNX SAME_LOWER", _before),
    LayerConvention(
        "average pooling counts padding",
        "PyTorch's count_include_pad",
        _of(AveragePooling2D, PaddingCountedAveragePooling2D),
    ),
    LayerConvention("flatten in channels-first order", "NCHW frameworks", _of_images),
    LayerConvention("un-inverted dropout", "the original paper, in training", _of(Dropout, UninvertedDropout)),
    LayerConvention(
        "un-inverted dropout with scaled inference", "the original paper", _of(Dropout, ScaledInferenceDropout)
    ),
    LayerConvention(
        "epsilon outside the root",
        "a frequent slip in batch normalization",
        _of(BatchNormalization, OutsideEpsilonBatchNormalization),
    ),
    LayerConvention(
        "unbiased batch variance", "n - 1 in the denominator", _of(BatchNormalization, UnbiasedBatchNormalization)
    ),
    LayerConvention("batch normalization epsilon 1e-5", "PyTorch's default", _other_epsilon(1e-5)),
    LayerConvention("batch normalization epsilon 1e-7", "the books", _other_epsilon(1e-7)),
)
