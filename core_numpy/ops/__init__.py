"""Array mathematics in pure pairs: each function stands beside its backward; usable on plain arrays."""

from core_numpy.ops.convolution import (
    conv2d,
    conv2d_backward,
    convolve1d,
    convolve2d,
    correlate1d,
    correlate2d,
)
from core_numpy.ops.pooling import (
    average_pooling2d,
    average_pooling2d_backward,
    max_pooling2d,
    max_pooling2d_backward,
)
from core_numpy.ops.softmax import log_softmax, one_hot, softmax, softmax_backward
from core_numpy.ops.windows import col2im, im2col

__all__ = [
    "average_pooling2d",
    "average_pooling2d_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "convolve1d",
    "convolve2d",
    "correlate1d",
    "correlate2d",
    "im2col",
    "log_softmax",
    "max_pooling2d",
    "max_pooling2d_backward",
    "one_hot",
    "softmax",
    "softmax_backward",
]
