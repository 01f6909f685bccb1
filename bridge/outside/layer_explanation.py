"""What is wrong with what a foreign layer gave: the search for causes beside the constants that it computes with."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bridge.conventions.layer_cause import causes
from bridge.conventions.outcome import Given, Outcome, distance
from bridge.judge.bounds import RoundingModel
from bridge.outside.exact_constants import other_constants
from bridge.outside.layer_inputs import LayerInputs
from core_numpy.network import Network
from model_spec import Dropout, ModelSpec

_TOLERANCE = {"float64": 1e-9, "float32": 3e-5}


class Fed(NamedTuple):
    """What a layer was fed.

    Attributes:
        given: inputs, cotangent and variables.
        dtype: the precision it is judged in.
        model: the float64 layer on them; None where the output could not be judged.
        before: what it was fed first, for a second call, or None.
    """

    given: LayerInputs
    dtype: str
    model: RoundingModel | None
    before: LayerInputs | None


def causes_of(
    spec: ModelSpec, training: bool, fed: Fed, found: Outcome, right_on: LayerInputs | None = None
) -> list[str]:
    """Sentences about what is wrong.

    Args:
        spec: the claim as a model of one layer.
        training: the mode.
        fed: what the layer was fed.
        found: what it gave.
        right_on: other inputs, on which it was right.
    """
    given, masks = fed.given, None
    if fed.model is not None:
        trace = fed.model.traces[0]
        params, state, mask = dict(trace.params), dict(trace.state), trace.context.masks
        masks = None if mask is None else (lambda index: mask)
    elif isinstance(spec.layers[0], Dropout):
        return []  # what it drops is not known
    else:
        params, state = given.divided(spec)
    claimed = Given(Network.of(spec), params, state, given.x, given.cotangent, training, masks)
    claimed = _with_nearest_constants(spec, claimed, found)
    before = other = None
    if fed.before is not None:
        before = replace(claimed, x=fed.before.x, dy=fed.before.cotangent)
    if right_on is not None and masks is None and right_on.x.shape[1:] == given.x.shape[1:]:
        other = replace(claimed, x=right_on.x, dy=right_on.cotangent)
    return causes(claimed, found, _TOLERANCE[fed.dtype], before, right_on=other)


def _with_nearest_constants(spec: ModelSpec, claimed: Given, found: Outcome) -> Given:
    y = found.get("y")
    claims = [claimed, *(replace(claimed, network=one.network) for one in other_constants(spec))]
    if len(claims) == 1 or y is None or y.shape != (outputs := [one.last_output for one in claims])[0].shape:
        return claimed
    return claims[int(np.argmin([distance(y, output) for output in outputs]))]
