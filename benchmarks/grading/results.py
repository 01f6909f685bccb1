"""What grading gives: text, JSON for Gradescope, cells for nbgrader, and a page for each student."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.grading.assignment import Assignment
from benchmarks.grading.judging import Outcome
from model_spec.whole_files import write_whole


def total(outcomes: Sequence[Outcome]) -> float:
    """Points of all cases, to two digits."""
    return round(sum(outcome.points for outcome in outcomes), 2)


def lines(name: str, assignment: Assignment, outcomes: Sequence[Outcome]) -> list[str]:
    """The result of one submission as text, one line a case and what is wrong below it."""
    found = [f"{name}: {total(outcomes):g} of {assignment.most:g} points"]
    for outcome in outcomes:
        found.append(f"  {outcome.case}: {outcome.points:g} of {outcome.most:g}, {outcome.verdict}")
        if outcome.points < outcome.most:
            found += [f"    {line}" for line in outcome.text.splitlines()]
    return found


def gradescope(assignment: Assignment, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The ``results.json`` of a Gradescope autograder (gradescope-autograders.readthedocs.io, "Specifications")."""
    return {
        "score": total(outcomes),
        "execution_time": round(sum(outcome.seconds for outcome in outcomes), 2),
        "visibility": "visible",
        "tests": [
            {
                "name": outcome.case,
                "score": round(outcome.points, 2),
                "max_score": outcome.most,
                "status": "passed" if outcome.points == outcome.most else "failed",
                "output": outcome.text,
            }
            for outcome in outcomes
        ],
    }


def notebook(assignment: Assignment, path: Path) -> dict[str, Any]:
    """A notebook of nbgrader's test cells, one a case: put them behind the cells in which students write.

    Args:
        assignment: what is graded.
        path: of its file, as the cells will find it.
    """
    cells = []
    for number, case in enumerate(assignment.cases, 1):
        source = (
            f"from benchmarks.grading.cells import assert_case\n\n"
            f"assert_case({str(path)!r}, {case.name!r}, globals())  # {case.most:g} points"
        )
        metadata = {"grade": True, "grade_id": f"case-{number}", "locked": True, "points": case.most}
        metadata |= {"schema_version": 3, "solution": False, "task": False, "cell_type": "code"}
        cell = {
            "cell_type": "code",
            "execution_count": None,
            "id": f"case-{number}",
            "metadata": {"nbgrader": metadata},
        }
        cells.append({**cell, "outputs": [], "source": source.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def page(name: str, assignment: Assignment, outcomes: Sequence[Outcome]) -> str:
    """One HTML page for a student; it needs nothing else.

    Raises:
        ImportError: jinja2 is missing; the message has the pip line.
    """
    template = report.template("page.html", "grading")
    return template.render(name=name, assignment=assignment, outcomes=outcomes, total=total(outcomes))


def save(folder: Path, name: str, assignment: Assignment, outcomes: Sequence[Outcome]) -> None:
    """Write ``results.json`` and ``page.html`` of one submission."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "results.json", json.dumps(gradescope(assignment, outcomes), indent=1, allow_nan=False))
    write_whole(folder / "page.html", page(name, assignment, outcomes))
