"""What a test cell of a notebook calls: one case of an assignment, judged on the notebook's own names."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from benchmarks.grading.assignment import load_assignment
from benchmarks.grading.judging import judge_case


class CaseFailedError(AssertionError):
    """A case did not earn all its points; the message is what the judge says."""


def assert_case(assignment: str | Path, case: str, names: dict[str, Any]) -> None:
    """Judge one case on these names; raise where it is not all right, as nbgrader expects of a test cell.

    Args:
        assignment: path of the TOML file.
        case: name of the case in it.
        names: of the notebook, ``globals()``.

    Raises:
        CaseFailedError: what is wrong, by the hints of the assignment.
        ValueError: no such assignment or case.
    """
    found = load_assignment(Path(assignment))
    wanted = next((one for one in found.cases if one.name == case), None)
    if wanted is None:
        raise ValueError(f"no case {case!r} in {assignment}; it has {', '.join(one.name for one in found.cases)}")
    outcome = judge_case(wanted, names, secrets.randbelow(2**31), found.hints)
    if outcome.points < outcome.most:
        raise CaseFailedError(f"{outcome.points:g} of {outcome.most:g} points\n{outcome.text}")
