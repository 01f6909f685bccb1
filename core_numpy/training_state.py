"""Everything a training run carries besides the parameters, as a dict of arrays that goes out and comes back in."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from core_numpy.contract import Array
from core_numpy.network import Params, flatten
from core_numpy.optimizers import OptimizerState
from model_spec import ModelSpec, inputs


class ModelInTraining(Protocol):
    """What carries a training run: variables, optimizer and dropout counter."""

    spec: ModelSpec
    dtype: str
    state: Params
    optimizer: OptimizerState | None
    dropout_calls: int

    def replace_variables(self, variables: dict[str, Array]) -> None: ...


def training_state(model: ModelInTraining) -> dict[str, Array]:
    """Copies of optimizer slots, iterations, moving statistics and dropout counters."""
    state = model.optimizer.to_dict() if model.optimizer is not None else {}
    state |= {name: value.copy() for name, value in flatten(model.state).items()}
    return state | {name: np.array(model.dropout_calls) for name in _counters(model.spec)}


def set_training_state(model: ModelInTraining, state: dict[str, Any]) -> None:
    """Put back what :func:`training_state` gave, of this backend or the other, all or nothing.

    Raises:
        ValueError: what is missing, of another shape or not finite.
    """
    if not isinstance(state, dict):
        raise ValueError(f"a training state is a dict of arrays, got {type(state).__name__}; give training_state()")
    moving = {name: model.spec.variable_shapes[name] for name in flatten(model.state)}
    clean = inputs.check_weights({name: state[name] for name in moving if name in state}, moving, model.dtype)
    counters = _counters(model.spec)
    missing = [name for name in counters if name not in state]
    if missing:
        raise ValueError(f"this training state lacks {', '.join(missing)}; take one of the same architecture")
    calls = {int(state[name]) for name in counters}
    if len(calls) > 1:
        raise ValueError(f"all dropout layers must be at the same call, got {sorted(calls)}")
    if model.optimizer is not None:
        model.optimizer.load(state)
    model.replace_variables(clean)
    model.dropout_calls = calls.pop() if calls else model.dropout_calls


def _counters(spec: ModelSpec) -> list[str]:
    """Names of the dropout layers' counters."""
    return [f"{name}/dropout_call" for name in spec.dropout_layers]
