"""Carries weights between the backends and judges whether two models agree. Names load when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.channels_first import from_channels_first
    from bridge.comparison import compare, compare_models
    from bridge.conversion import Certificate
    from bridge.estimators import KerasClassifier, NumpyClassifier
    from bridge.foreign_model import model_from_layers
    from bridge.keras_noise import NoiseFloor, noise_floor
    from bridge.layer_check import check_layer
    from bridge.layer_report import LayerReport
    from bridge.report import ParityReport
    from bridge.sensitivity import sensitivities
    from bridge.training import TrainingParityReport, compare_training
    from bridge.weights import copy_weights, random_weights

__all__ = [
    "Certificate",
    "KerasClassifier",
    "LayerReport",
    "NoiseFloor",
    "NumpyClassifier",
    "ParityReport",
    "TrainingParityReport",
    "check_layer",
    "compare",
    "compare_models",
    "compare_training",
    "copy_weights",
    "from_channels_first",
    "model_from_layers",
    "noise_floor",
    "random_weights",
    "sensitivities",
]

_WHERE = {
    "Certificate": "bridge.conversion",
    "KerasClassifier": "bridge.estimators",
    "LayerReport": "bridge.layer_report",
    "NoiseFloor": "bridge.keras_noise",
    "NumpyClassifier": "bridge.estimators",
    "ParityReport": "bridge.report",
    "TrainingParityReport": "bridge.training",
    "check_layer": "bridge.layer_check",
    "compare": "bridge.comparison",
    "compare_models": "bridge.comparison",
    "compare_training": "bridge.training",
    "copy_weights": "bridge.weights",
    "from_channels_first": "bridge.channels_first",
    "model_from_layers": "bridge.foreign_model",
    "noise_floor": "bridge.keras_noise",
    "random_weights": "bridge.weights",
    "sensitivities": "bridge.sensitivity",
}
"""Where the public names live. No module has the name of a function: importing it would hide the function."""


def __getattr__(name: str) -> Any:
    """Load the module a public name lives in, and keep the name."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
