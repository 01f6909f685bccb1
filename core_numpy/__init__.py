"""How NumPy computes a network, from scratch. Names are loaded when they are first asked for."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core_numpy.gradients_by_differences import GradientReport, gradient_check
    from core_numpy.model import NumpyModel
    from core_numpy.saved_model import load
    from core_numpy.verification import Verification, VerificationError, verify
    from model_spec.weight_files import WeightFileError

__all__ = [
    "GradientReport",
    "NumpyModel",
    "Verification",
    "VerificationError",
    "WeightFileError",
    "gradient_check",
    "load",
    "verify",
]

_WHERE = {
    "NumpyModel": "core_numpy.model",
    "load": "core_numpy.saved_model",
    "Verification": "core_numpy.verification",
    "VerificationError": "core_numpy.verification",
    "verify": "core_numpy.verification",
    "WeightFileError": "model_spec.weight_files",
    "GradientReport": "core_numpy.gradients_by_differences",
    "gradient_check": "core_numpy.gradients_by_differences",
}


def __getattr__(name: str) -> Any:
    """Load the module a public name lives in, and keep the name."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collecting = gc.isenabled()
    # Classes being made call for collections, each of which would walk through all that NumPy has loaded
    gc.disable()
    try:
        value = getattr(import_module(_WHERE[name]), name)
    finally:
        if collecting:
            gc.enable()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
