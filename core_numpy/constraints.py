"""What constraints make of variables after a training step, with Keras' formulas."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec import constraints as rules


def constrained_parameters(spec: ModelSpec) -> dict[str, rules.Constraint]:
    """The rule of every trainable parameter that has one, {"dense/kernel": MaxNorm(2.0)}."""
    found = {
        f"{layer.name}/{variable}": rule for layer in spec.layers for variable, rule in layer.constraints().items()
    }
    return {name: rule for name, rule in found.items() if name in spec.trainable_parameters}


def constrain(rule: rules.Constraint, value: Array) -> None:
    """Bring a variable to its rule, in place."""
    if isinstance(rule, rules.NonNeg):
        np.maximum(value, 0, out=value)
        return
    kind = value.dtype.type
    # (axis, ...) -> 1 along the axes
    norms = np.sqrt(np.square(value).sum(axis=rule.axis, keepdims=True))  # type: ignore[attr-defined]
    if isinstance(rule, rules.MaxNorm):
        value *= np.minimum(norms, kind(rule.max_value)) / (kind(rules.EPSILON) + norms)
    else:
        value /= kind(rules.EPSILON) + norms
