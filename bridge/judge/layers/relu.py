"""ReLU with its options: rounding on each piece, the kinks, the jump at a threshold, and random drawing."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Rounding
from core_numpy.contract import Array
from model_spec import ReLU
from model_spec.shapes import Shape


class ReLURule:
    """y = min(x, largest) where x > threshold, else slope (x - threshold)."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        spec: ReLU = trace.layer.spec  # type: ignore[assignment]
        squared, at_threshold, at_largest = self._pieces(rounding, trace)
        either = max(1.0, spec.negative_slope**2)
        carried = np.where(at_threshold | at_largest, either, squared) * trace.x_variance
        largest = np.inf if spec.max_value is None else spec.max_value
        jump = np.where(at_threshold, min(spec.threshold, largest) ** 2, 0)
        # Below: the slope, the difference, the product, and the threshold itself; above: the largest value is rounded
        below = 3 * np.square(trace.y) + (spec.negative_slope * spec.threshold) ** 2
        own = np.where(trace.x <= spec.threshold, below if spec.negative_slope else 0.0, 0.0)
        own = own + np.where((trace.x >= largest) | at_largest, np.square(trace.y), 0)
        return np.asarray(carried + jump + rounding.unit * own)

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        spec: ReLU = trace.layer.spec  # type: ignore[assignment]
        squared, at_threshold, at_largest = self._pieces(rounding, trace)
        jump = np.where(at_threshold, max(1.0, spec.negative_slope**2), np.where(at_largest, 1.0, 0.0))
        return BackwardError(
            squared * cotangent.variance + 2 * rounding.unit * np.square(dx),
            squared * cotangent.kink + jump * np.square(cotangent.value),
            uncertain=int((at_threshold | at_largest).sum()),
        )

    @staticmethod
    def _pieces(rounding: Rounding, trace: LayerTrace) -> tuple[Array, Array, Array]:
        """(squared slope, where rounding decides the side of the threshold, and that of the largest value)."""
        spec: ReLU = trace.layer.spec  # type: ignore[assignment]

        def near(place: float) -> Array:
            return rounding.uncertain(trace.x - place, trace.x_variance + rounding.unit * place**2)

        slope = np.where(trace.x > spec.threshold, 1.0, spec.negative_slope**2)
        at_threshold = near(spec.threshold)
        if spec.max_value is None:
            return slope, at_threshold, np.zeros_like(at_threshold)
        slope = np.where(trace.x > max(spec.max_value, spec.threshold), 0, slope)
        return slope, at_threshold, near(spec.max_value)


_OPTIONS = ((1.0, 0.0, 0.0), (None, 0.1, 0.0), (1.0, 0.25, 0.0), (None, 0.0, 0.5), (2.0, 1.5, 0.3), (6.0, 0.1, 1.0))


def draw(some: Some, shape: Shape) -> ReLU:
    """Each option alone and together with others; what is an Activation's is left to that."""
    return ReLU(*some.of(_OPTIONS))
