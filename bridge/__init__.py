"""Carries weights between the backends and judges whether two models agree."""

from bridge.comparison import compare, compare_models
from bridge.report import ParityReport
from bridge.training import TrainingParityReport, compare_training
from bridge.weights import copy_weights, random_weights

__all__ = [
    "ParityReport",
    "TrainingParityReport",
    "compare",
    "compare_models",
    "compare_training",
    "copy_weights",
    "random_weights",
]
