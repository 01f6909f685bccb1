"""Carries weights between the backends and judges whether two models agree. Names load when first asked for.

The rooms, each of which may use those before it: ``weights``, ``judge``, ``conventions``, ``lockstep``, ``outside``,
``conversion``, ``fuzzing``, ``selftest``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bridge.moved import keep_former_names

keep_former_names()

_WHERE = {
    "conventions.comparison": "compare",
    "conversion.channels_first": "from_channels_first",
    "conversion.keras_models_and_files": "Certificate convert",
    "conversion.estimators": "KerasClassifier NumpyClassifier",
    "judge.keras_noise": "NoiseFloor noise_floor",
    "judge.report": "ParityReport",
    "judge.sensitivity": "sensitivities",
    "lockstep.report": "TrainingParityReport",
    "lockstep.training": "compare_training",
    "outside.external_model": "model_from_layers",
    "outside.external_network": "model_from_network",
    "outside.external_training": "external_training",
    "outside.functions": "from_functions from_jax",
    "outside.layer_check": "check_layer",
    "outside.layer_report": "LayerReport",
    "outside.loss_check": "check_loss",
    "outside.loss_judge": "LossReport",
    "outside.model_comparison": "compare_models",
    "outside.optimizer_check": "OptimizerReport check_optimizer",
    "outside.tensors": "from_autograd",
    "selftest.faults": "plant",
    "weights": "copy_weights random_weights",
}
"""Where the public names live; ``__init__.pyi`` says the same to editors and type checkers."""

__all__ = sorted(" ".join(_WHERE.values()).split())


def __getattr__(name: str) -> Any:
    """Load the module a public name lives in, and keep the name."""
    for module, names in _WHERE.items():
        if name in names.split():
            value = getattr(import_module(f"bridge.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
