"""Conv2D in groups from scratch: a convolution of its own for each group of channels."""

from __future__ import annotations

import dataclasses

from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.in_groups import ConvolutionInGroups
from model_spec import layers as specs


class GroupedConv2D(ConvolutionInGroups):
    """The linear part of a Conv2D layer with ``groups`` above 1."""

    spec: specs.Conv2D

    @property
    def of_one_group(self) -> Conv2D:
        return Conv2D(dataclasses.replace(self.spec, filters=self.spec.filters // self.spec.groups, groups=1))

    def groups(self, channels: int) -> int:
        return self.spec.groups

    @property
    def kernel_axis(self) -> int:
        # (kernel h, kernel w, c / groups, filters)
        return 3
