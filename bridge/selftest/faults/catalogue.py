"""All faults by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import overload

from bridge.selftest.faults import (
    backwards,
    branches,
    descent_updates,
    forwards,
    function_forwards,
    linear_backwards,
    objectives,
    precision,
    reported,
    state_and_copying,
    updates,
)
from bridge.selftest.faults.change import Change
from bridge.selftest.faults.fault import Fault
from core_numpy import NumpyModel
from model_spec.names import listed, nearest

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in (
        forwards,
        function_forwards,
        linear_backwards,
        backwards,
        branches,
        objectives,
        precision,
        descent_updates,
        updates,
        state_and_copying,
        reported,
    )
    for fault in module.faults.entries
}


def plant(fault: str | Change) -> Callable[[NumpyModel], str]:
    """What plants a fault in a NumPy model: the ``prepare`` of :func:`bridge.compare`, to see the fault caught.

    Args:
        fault: its name (``crosscheck list``), or a change of your own.

    Returns:
        a function of the model that says what was planted where; it raises a ValueError where nothing fits.

    Raises:
        ValueError: no such fault.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from bridge import compare
        >>> compare(spec, x, y, prepare=plant("missing-bias")).passed
        False
    """
    change = find(fault)
    return lambda model: f"planted fault: {change.name} in {change.plant(model)}"


@overload
def find(fault: str | Fault) -> Fault: ...


@overload
def find(fault: Change) -> Change: ...


def find(fault: str | Change) -> Change:
    """Return the fault of that name, or the change itself.

    Raises:
        ValueError: no such fault; the known ones are listed.
    """
    if isinstance(fault, Change):
        return fault
    if fault not in FAULTS:
        raise ValueError(f"unknown fault {fault!r}{nearest(fault, FAULTS)}; known are {listed(FAULTS)}")
    return FAULTS[fault]
