"""Inspection of two trained networks: distributions of activations and weights, filters, and feature maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.plots.distributions import histogram
from model_spec import Conv2D, ModelSpec

Array = np.ndarray

MOST_EXAMPLES = 256
"""Examples whose activations are counted: enough for a histogram."""


@dataclass(frozen=True)
class Inspection:
    """Both networks from the inside, the first and the second model's figures in each pair.

    Attributes:
        activations: {layer: (histogram, histogram)} over some test examples.
        weights: {variable: (histogram, histogram)}.
        kernels: {convolution: (kernel, kernel)}, each (height, width, channels, filters).
        maps: {convolution: (maps, maps)} of one example, each (height, width, channels).
    """

    activations: dict[str, tuple[dict[str, Any], dict[str, Any]]]
    weights: dict[str, tuple[dict[str, Any], dict[str, Any]]]
    kernels: dict[str, tuple[Array, Array]]
    maps: dict[str, tuple[Array, Array]]

    def to_dict(self) -> dict[str, Any]:
        """The histograms and the largest differences, as plain dicts, lists, numbers and strings."""
        pairs = {"kernels": self.kernels, "feature_maps": self.maps}
        return {
            "activations": {name: list(pair) for name, pair in self.activations.items()},
            "weights": {name: list(pair) for name, pair in self.weights.items()},
            "largest_difference": {
                kind: {name: float(np.abs(first - second).max()) for name, (first, second) in found.items()}
                for kind, found in pairs.items()
            },
        }


def inspect_models(spec: ModelSpec, first: Any, second: Any, x: Array) -> Inspection:
    """Look into two models of one specification with the first of these examples."""
    x = x[:MOST_EXAMPLES]
    outputs = [model.activations(x) for model in (first, second)]
    variables = [model.weights for model in (first, second)]
    convolutions = [str(layer.name) for layer in spec.layers if isinstance(layer, Conv2D)]
    return Inspection(
        {name: _histograms(outputs[0][name], outputs[1][name]) for name in outputs[0]},
        {name: _histograms(variables[0][name], variables[1][name]) for name in variables[0]},
        {name: (variables[0][f"{name}/kernel"], variables[1][f"{name}/kernel"]) for name in convolutions},
        {name: (np.asarray(outputs[0][name][0]), np.asarray(outputs[1][name][0])) for name in convolutions},
    )


def _histograms(first: Any, second: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts of both in the same bins."""
    first, second = np.asarray(first), np.asarray(second)
    both = np.concatenate([first.ravel(), second.ravel()])
    kept = both[np.isfinite(both)]
    # Of a training that diverged nothing may be finite
    limits = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)
    return histogram(first, limits), histogram(second, limits)
