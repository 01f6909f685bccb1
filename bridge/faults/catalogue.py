"""All faults by name."""

from __future__ import annotations

from typing import overload

from bridge.faults.backwards import BACKWARD_FAULTS
from bridge.faults.carried import CARRIED_FAULTS
from bridge.faults.change import Change
from bridge.faults.descent_updates import DESCENT_FAULTS
from bridge.faults.fault import Fault
from bridge.faults.forwards import FORWARD_FAULTS
from bridge.faults.function_forwards import FUNCTION_FAULTS
from bridge.faults.linear_backwards import LINEAR_BACKWARD_FAULTS
from bridge.faults.objectives import OBJECTIVE_FAULTS
from bridge.faults.precision import PRECISION_FAULTS
from bridge.faults.reported import REPORTED_FAULTS
from bridge.faults.updates import UPDATE_FAULTS

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        *FORWARD_FAULTS,
        *FUNCTION_FAULTS,
        *LINEAR_BACKWARD_FAULTS,
        *BACKWARD_FAULTS,
        *OBJECTIVE_FAULTS,
        *PRECISION_FAULTS,
        *DESCENT_FAULTS,
        *UPDATE_FAULTS,
        *CARRIED_FAULTS,
        *REPORTED_FAULTS,
    )
}


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
        raise ValueError(f"unknown fault {fault!r}; known are {', '.join(FAULTS)}")
    return FAULTS[fault]
