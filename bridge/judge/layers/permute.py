"""Permute: values only move; drawn with the axes in any order."""

from __future__ import annotations

from itertools import permutations

from bridge.judge.layers.form import Some
from model_spec import Permute
from model_spec.shapes import Shape


def draw(some: Some, shape: Shape) -> Permute:
    """The axes in any order, their own among them."""
    return Permute(some.of(list(permutations(range(1, len(shape) + 1)))))
