"""DepthwiseConv2D from scratch: a convolution of one channel for each channel."""

from __future__ import annotations

from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.in_groups import ConvolutionInGroups
from model_spec import layers as specs


class DepthwiseConv2D(ConvolutionInGroups):
    """The linear part of a DepthwiseConv2D layer; its activation is a layer of its own (see ``build.lower``)."""

    spec: specs.DepthwiseConv2D

    @property
    def of_one_group(self) -> Conv2D:
        spec = self.spec
        return Conv2D(
            specs.Conv2D(
                spec.depth_multiplier,
                spec.kernel_size,
                spec.strides,
                spec.padding,
                spec.dilation_rate,
                use_bias=spec.use_bias,
            )
        )

    def groups(self, channels: int) -> int:
        return channels

    @property
    def kernel_axis(self) -> int:
        # (kernel h, kernel w, c, depth_multiplier)
        return 2
