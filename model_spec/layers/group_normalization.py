"""GroupNormalization: the channels of each example are normalized in groups, then scaled and shifted one by one."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

from model_spec.initializers import Initializer, Ones, Zeros
from model_spec.layers.base import LayerSpec
from model_spec.names import shown
from model_spec.shapes import Shape
from model_spec.validation import boolean, positive_real


@dataclass(frozen=True)
class GroupNormalization(LayerSpec):
    """Group normalization (Wu and He, 2018) on the last axis, as ``keras.layers.GroupNormalization``.

    ``groups`` neighbouring parts of the channels, each normalized with all places of the example; 1 is layer
    normalization of whole examples, -1 a group for each channel (instance normalization). Epsilon stands inside the
    root, the variance is the biased one; gamma and beta have a value for each channel.

    Args:
        groups: integer: groups of neighbouring channels that are normalized together; -1 for a channel each. Default
            32.
        epsilon: float above 0, added to the variance inside the root. Default 0.001.
        center: boolean: add a learned beta, shaped as gamma is. Default True.
        scale: boolean: multiply by a learned gamma, one float for each entry that is normalized alike. Default True.

    Examples:
        >>> GroupNormalization(groups=4).parameter_shapes((7, 7, 16))
        {'gamma': (16,), 'beta': (16,)}
    """

    groups: int = 32
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        groups = self.groups
        if isinstance(groups, bool) or not isinstance(groups, numbers.Integral) or (groups < 1 and groups != -1):
            raise ValueError(f"groups must be an integer of at least 1, or -1, got {shown(groups)}")
        self._set(
            groups=int(groups),
            epsilon=positive_real("epsilon", self.epsilon),
            center=boolean("center", self.center),
            scale=boolean("scale", self.scale),
        )

    def group_shape(self, input_shape: Shape) -> tuple[int, int]:
        """(groups, channels of each) of an input of this shape.

        Raises:
            ValueError: channels that are no multiple of the groups.
        """
        channels = input_shape[-1]
        groups = channels if self.groups == -1 else self.groups
        if channels % groups:
            raise ValueError(
                f"{groups} groups do not divide the {channels} channels of shape {input_shape}; "
                f"take a divisor of {channels}"
            )
        return groups, channels // groups

    def output_shape(self, input_shape: Shape) -> Shape:
        self.group_shape(input_shape)
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        own = (input_shape[-1],)
        return {name: own for name, used in (("gamma", self.scale), ("beta", self.center)) if used}

    def initializers(self) -> dict[str, Initializer]:
        return {"gamma": Ones(), "beta": Zeros()}
