"""The order in which a plan runs a network's steps, and who reads whose output."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.layers.dense import Dense
from core_numpy.layers.pooling import MaxPooling2D
from core_numpy.layers.reshaping import Reshape
from model_spec import Flatten
from model_spec.shapes import Shape

INCREASING = frozenset({"relu", "relu6", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus", "softsign"})
"""Activations whose output never falls where their input grows."""


def readers_of(steps: Sequence[Step]) -> list[list[int]]:
    """Of x and of every step's output, the steps that read it, in order; twice where one reads it twice."""
    found: list[list[int]] = [[] for _ in range(len(steps) + 1)]
    for at, step in enumerate(steps):
        for source in step.sources:
            found[source].append(at)
    return found


def pooled_first(steps: Sequence[Step]) -> list[Step]:
    """Each increasing activation in front of a max pooling behind it instead: a quarter of the values is left.

    The two commute, and the pooling's gradient goes to the same cell: where the activation has made unequal values
    equal, as a relu does below zero, it passes no gradient, or rounding has decided which of them was the larger.
    """
    result, readers = list(steps), readers_of(steps)
    for at in range(len(result) - 1):
        first, second = result[at].layer, result[at + 1].layer
        if readers[at + 1] != [at + 1] or len(readers[result[at].sources[0]]) > 1:
            continue
        if isinstance(first, Activation) and first.spec.activation in INCREASING and isinstance(second, MaxPooling2D):
            before, behind = result[at].sources, result[at + 1].sources
            result[at] = dataclasses.replace(result[at + 1], sources=before)
            result[at + 1] = dataclasses.replace(steps[at], sources=behind)
    return result


def reads_rows_once(steps: Sequence[Step], readers: Sequence[Sequence[int]]) -> bool:
    """True where a Dense layer comes first, perhaps behind a Flatten: it needs no buffer with the input in it."""
    if readers[0] != [0] or len(readers[1]) > 1:
        return False
    layers = [step.layer for step in steps[:2]]
    if isinstance(layers[0], Reshape) and isinstance(layers[0].spec, Flatten):
        layers = layers[1:]
    return bool(layers) and isinstance(layers[0], Dense)


def first_product(steps: Sequence[Step], input_shapes: Sequence[Shape]) -> int | None:
    """Position of the Dense layer that alone reads the rows of a batch, each a vector to it; None without one.

    Args:
        steps: of a network.
        input_shapes: of an example, for each layer.
    """
    if not reads_rows_once(steps, readers_of(steps)):
        return None
    at = int(not isinstance(steps[0].layer, Dense))
    return at if len(input_shapes[steps[at].index]) == 1 else None
