"""Carries weights between the backends and judges whether two models agree."""

from bridge.comparison import compare, compare_models
from bridge.report import ParityReport
from bridge.weights import copy_weights, random_weights

__all__ = ["ParityReport", "compare", "compare_models", "copy_weights", "random_weights"]
