"""Dense, drawn at random: few units, any activation and penalty; its rounding rule is ``linear``."""

from __future__ import annotations

from bridge.judge.layers.form import Some, draw_activation, draw_weighted
from model_spec import Dense
from model_spec.shapes import Shape

_UNITS = 8


def draw(some: Some, shape: Shape) -> Dense:
    """A Dense layer of at most 8 units."""
    units = some.integer(1, _UNITS)
    return Dense(units, activation=draw_activation(some, units), **draw_weighted(some))
