"""Pictures of results: every function draws on the axes it is given, or makes them, and returns the figure."""

from benchmarks.plots.accuracy_against_time import accuracy_against_time
from benchmarks.plots.classes import confusion
from benchmarks.plots.curves import drift, learning_curves, smoothed, training_and_validation
from benchmarks.plots.distributions import activation_histograms
from benchmarks.plots.images import disagreements, feature_maps, filters, misclassified
from benchmarks.plots.plane import activation_surface, decision_boundary
from benchmarks.plots.predicted import predicted
from benchmarks.plots.ratios import speed_ratios
from benchmarks.plots.reliability import reliability
from benchmarks.plots.style import as_svg, inline_svg

__all__ = [
    "accuracy_against_time",
    "activation_histograms",
    "activation_surface",
    "as_svg",
    "confusion",
    "decision_boundary",
    "disagreements",
    "drift",
    "feature_maps",
    "filters",
    "inline_svg",
    "learning_curves",
    "training_and_validation",
    "misclassified",
    "predicted",
    "reliability",
    "smoothed",
    "speed_ratios",
]
