"""Cropping2D: values only move; drawn with borders of up to two cells that leave something."""

from __future__ import annotations

from bridge.judge.layers.form import Some
from model_spec import Cropping2D
from model_spec.shapes import Shape


def draw(some: Some, shape: Shape) -> Cropping2D:
    """Up to two cells on each side."""
    sides = []
    for size in shape[:2]:
        before = some.integer(0, min(2, size - 1))
        sides.append((before, some.integer(0, min(2, size - 1 - before))))
    return Cropping2D((sides[0], sides[1]))
