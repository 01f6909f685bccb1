"""How NumPy computes a network, from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core_numpy.model import NumpyModel

if TYPE_CHECKING:
    from core_numpy.gradients_by_differences import GradientReport, gradient_check
    from core_numpy.weight_files import WeightFileError

__all__ = ["GradientReport", "NumpyModel", "WeightFileError", "gradient_check"]

_RARE = {
    "WeightFileError": "core_numpy.weight_files",
    "GradientReport": "core_numpy.gradients_by_differences",
    "gradient_check": "core_numpy.gradients_by_differences",
}


def __getattr__(name: str) -> Any:
    """Load what few programs need when it is first asked for: a cold start should cost little more than NumPy's."""
    if name in _RARE:
        from importlib import import_module

        return getattr(import_module(_RARE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
