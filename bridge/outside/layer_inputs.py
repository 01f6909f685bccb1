"""What a foreign layer is fed: drawn at random, or turned into an edge case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.outside.edge_cases import EdgeCase
from bridge.weights import random_weights
from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec.shapes import Shape


@dataclass(frozen=True)
class LayerInputs:
    """What the layer is fed: values that float32 can hold, so that every precision gets the same ones."""

    x: Array
    cotangent: Array
    weights: dict[str, Array]

    @classmethod
    def draw(cls, spec: ModelSpec, batch: int, seed: int) -> LayerInputs:
        """Random inputs, cotangent and variables for one layer."""
        random = np.random.default_rng([seed, 2])

        def normal(shape: Shape) -> Array:
            return random.standard_normal((batch, *shape)).astype(np.float32).astype(np.float64)

        # Neither mean 0 nor deviation 1: a normalization that does nothing would pass
        x = (normal(spec.input_shape) * 1.5 + 0.5).astype(np.float32).astype(np.float64)
        weights = {name.rpartition("/")[2]: value for name, value in random_weights(spec, seed).items()}
        return cls(x, normal(spec.output_shape), weights)

    def divided(self, spec: ModelSpec) -> tuple[dict[str, Array], dict[str, Array]]:
        """The variables as (parameters, moving statistics) of the one layer of ``spec``."""
        states = spec.layers[0].state_shapes(spec.input_shape)
        return (
            {name: value for name, value in self.weights.items() if name not in states},
            {name: value for name, value in self.weights.items() if name in states},
        )

    def in_case(self, case: EdgeCase, spec: ModelSpec, seed: int) -> LayerInputs:
        """The same variables with the inputs of an edge case; ``spec`` has its input shape."""
        drawn = LayerInputs.draw(spec, case.batch or len(self.x), seed + 1)
        x, cotangent = case.make(drawn.x), drawn.cotangent * case.cotangent_factor
        x, cotangent = (values.astype(np.float32).astype(np.float64) for values in (x, cotangent))
        return LayerInputs(x, cotangent, self.weights)
