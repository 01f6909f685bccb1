"""How NumPy computes a network, from scratch."""

from core_numpy.model import NumpyModel
from core_numpy.weight_files import WeightFileError

__all__ = ["NumpyModel", "WeightFileError"]
