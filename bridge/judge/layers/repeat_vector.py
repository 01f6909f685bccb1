"""RepeatVector: its rounding is that of repeated cells (``up_sampling2d``); drawn with up to four steps."""

from __future__ import annotations

from bridge.judge.layers.form import Some
from model_spec import RepeatVector
from model_spec.shapes import Shape


def draw(some: Some, shape: Shape) -> RepeatVector:
    """One to four steps."""
    return RepeatVector(some.integer(1, 4))
