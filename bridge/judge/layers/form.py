"""What the table of layers holds of each: its rounding rule, and how to draw one at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.judge.rounding import Rule
from model_spec import LayerSpec, regularizers
from model_spec.activations import ACTIVATIONS
from model_spec.shapes import Padding, Shape, window_extent

DIFFERENTIABLE = tuple(name for name in ACTIVATIONS if name != "step")
"""Activations a gradient passes through."""

PENALTIES = (None, None, None, regularizers.L1(0.02), regularizers.L2(0.05), regularizers.L1L2(0.01, 0.03))


class Some(Protocol):
    """Draws single values (``bridge.fuzzing.random_networks.Draw``); shrinks towards the first or smallest."""

    def integer(self, low: int, high: int) -> int:
        """A whole number in low..high."""

    def of(self, choices: Sequence[Any]) -> Any:
        """One of the choices."""

    def boolean(self) -> bool:
        """False or True."""

    def rarely(self) -> bool:
        """True in one of eight draws."""


@dataclass(frozen=True)
class JudgedLayer:
    """One layer as the judge knows it.

    Attributes:
        rule: how it carries and adds rounding errors.
        draw: gives a small, valid layer for an input of this shape, without the batch axis.
        places: where it is drawn: on an "image", on a "row", on "steps", as the "end" of images or the "end of steps",
            which makes a row of them, or to "merge" branches. A place that is named twice gets it twice as often.
        routes_gradient: True where it routes each gradient to some cells of its input, in a tie to one or another; a
            channel's sum stays what it was.
    """

    rule: Rule
    draw: Callable[[Some, Shape], LayerSpec]
    places: tuple[str, ...] = ("image", "row", "steps")
    routes_gradient: bool = False


def draw_activation(some: Some, size: int) -> str:
    """Name of an activation for a last axis of this size."""
    return str(some.of([name for name in DIFFERENTIABLE if "softmax" not in name or size > 1]))


def draw_weighted(some: Some) -> dict[str, Any]:
    """Options that Dense and Conv2D share."""
    return {
        "use_bias": not some.rarely(),
        "kernel_regularizer": some.of(PENALTIES),
        "bias_regularizer": some.of(PENALTIES),
        "trainable": not some.rarely(),
    }


def draw_window(some: Some, shape: Shape, dilation: tuple[int, int] = (1, 1)) -> tuple[tuple[int, int], Padding]:
    """(window, padding) that fit into the image; now and then with a border in cells that stays below the window."""
    padding = some.of(("valid", "same", "border"))
    largest = [3, 3]
    if padding == "border":
        height, width = (some.integer(1, min(3, 1 + (shape[a] - 1) // dilation[a])) for a in (0, 1))
        rows, columns = ((some.integer(0, size - 1), some.integer(0, size - 1)) for size in (height, width))
        return (height, width), (rows, columns)
    if padding == "valid":
        fitting = [[w for w in (1, 2, 3) if window_extent(w, dilation[a]) <= shape[a]] for a in (0, 1)]
        largest = [max(sizes) for sizes in fitting]
    return (some.integer(1, largest[0]), some.integer(1, largest[1])), padding
