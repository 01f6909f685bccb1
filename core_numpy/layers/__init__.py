"""From-scratch layers, one a file; ``build.py`` finds the one for a specification."""

from core_numpy.layers.build import Step, lower

__all__ = ["Step", "lower"]
