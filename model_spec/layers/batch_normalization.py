"""BatchNormalization: every channel gets mean 0 and variance 1 over the batch, then a learned scale and shift."""

from __future__ import annotations

from dataclasses import dataclass

from model_spec.initializers import Initializer, Ones, Zeros
from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape
from model_spec.validation import boolean, positive_real, real


@dataclass(frozen=True)
class BatchNormalization(LayerSpec):
    """Batch normalization (Ioffe and Szegedy, 2015) on the last axis, as ``keras.layers.BatchNormalization``.

    Keras' conventions: epsilon inside the root, biased variance, moving = momentum * moving + (1 - momentum) * batch.
    With ``trainable=False`` the moving statistics are used even in training, as in Keras.

    Args:
        momentum: float in 0..1: share of the past in the moving statistics. Default 0.99.
        epsilon: float above 0, added to the variance inside the root. Default 0.001.
        center: boolean: add a learned beta, shaped as gamma is. Default True.
        scale: boolean: multiply by a learned gamma, one float for each entry that is normalized alike. Default True.

    Examples:
        >>> BatchNormalization().parameter_shapes((7, 7, 16))
        {'gamma': (16,), 'beta': (16,)}
        >>> BatchNormalization().state_shapes((7, 7, 16))
        {'moving_mean': (16,), 'moving_variance': (16,)}
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            momentum=real("momentum", self.momentum, minimum=0),
            epsilon=positive_real("epsilon", self.epsilon),
            center=boolean("center", self.center),
            scale=boolean("scale", self.scale),
        )
        if self.momentum > 1:
            raise ValueError(f"momentum must lie in 0..1, got {self.momentum}")

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = (input_shape[-1],)
        shapes: dict[str, Shape] = {}
        if self.scale:
            shapes["gamma"] = channels
        if self.center:
            shapes["beta"] = channels
        return shapes

    def state_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = (input_shape[-1],)
        return {"moving_mean": channels, "moving_variance": channels}

    def initializers(self) -> dict[str, Initializer]:
        return {"gamma": Ones(), "beta": Zeros(), "moving_mean": Zeros(), "moving_variance": Ones()}
