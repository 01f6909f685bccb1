"""How NumPy computes a network, from scratch."""

from core_numpy.gradients_by_differences import GradientReport, gradient_check
from core_numpy.model import NumpyModel
from core_numpy.weight_files import WeightFileError

__all__ = ["GradientReport", "NumpyModel", "WeightFileError", "gradient_check"]
