"""Penalties on the size of parameters: value and gradient, with Keras' formulas (no half in L2)."""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec import regularizers as rules


def regularized_parameters(spec: ModelSpec) -> dict[str, rules.Regularizer]:
    """The rule of every trainable parameter that has one, {"dense/kernel": L2(0.01)}; frozen layers add no penalty."""
    found = {
        f"{layer.name}/{variable}": rule for layer in spec.layers for variable, rule in layer.regularizers().items()
    }
    return {name: rule for name, rule in found.items() if name in spec.trainable_parameters}


def penalty(rule: rules.Regularizer, value: Array) -> tuple[float, Array]:
    """Return (penalty, its gradient): ``l1 * sum(abs(w)) + l2 * sum(w**2)``."""
    l1, l2 = getattr(rule, "l1", 0.0), getattr(rule, "l2", 0.0)
    kind = value.dtype.type
    cost = kind(l1) * np.abs(value).sum() + kind(l2) * np.square(value).sum()
    return float(cost), kind(l1) * np.sign(value) + kind(2 * l2) * value
