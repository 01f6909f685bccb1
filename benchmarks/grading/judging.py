"""One case of one submission judged: its objects are in this process, or in one of their own with limits."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import bridge
from benchmarks.grading.assignment import Assignment, Case
from benchmarks.grading.session import Session, SubmissionEndedError, SubmissionTimeoutError
from bridge.outside.raised import own_frame
from core_numpy import NumpyModel
from model_spec import ModelSpec


@dataclass(frozen=True)
class Outcome:
    """What a case has brought.

    Attributes:
        case: its name.
        points: earned.
        most: that there were to earn.
        verdict: of the judge, or "ERROR" where the code could not be judged.
        tensors: {tensor: whether it is right}.
        text: what the student reads.
        seconds: it took.
    """

    case: str
    points: float
    most: float
    verdict: str
    tensors: dict[str, bool] = field(default_factory=dict)
    text: str = ""
    seconds: float = 0.0


def seed_of(secret: str, case: str) -> int:
    """The seed of a case: it cannot be guessed without the secret, and is the same for every submission."""
    return int.from_bytes(hashlib.sha256(f"{secret}/{case}".encode()).digest()[:4], "little") >> 1


def judge_case(case: Case, names: dict[str, Any], seed: int, hints: int = 2) -> Outcome:
    """Judge what a submission's names make, in this process.

    Args:
        case: what is asked for.
        names: of the submission, {"Affine": class, ...}.
        seed: of inputs and parameters.
        hints: how much the text says.
    """
    return judge_made(case, lambda: eval(case.make, {"np": np, **names}), seed, hints)  # the teacher's expression


def judge_made(case: Case, make: Callable[[], Any], seed: int, hints: int) -> Outcome:
    """Judge what ``make`` gives."""
    started = time.perf_counter()
    try:
        mine = make()
    except Exception as error:
        return _error(case, f"{case.make} {_raised(error)}")
    try:
        report, tensors = _CHECKS[case.kind](case, mine, seed, hints)
    except Exception as error:
        return _error(case, _raised(error))
    tensors |= {tensor: False for tensor in _lacking(case, report, tensors)}
    points = _points(case, tensors) if report.passed or not all(tensors.values()) else 0.0
    seconds = time.perf_counter() - started
    return Outcome(case.name, points, case.most, str(report.verdict), tensors, _text(report), seconds)


def _lacking(case: Case, report: Any, tensors: dict[str, bool]) -> list[str]:
    """Gradients that were to be judged and were not given: they are asked for, unless points name the tensors."""
    if case.kind == "optimizer" or any("gradient" in tensor for tensor in tensors):
        return []
    if case.kind != "layer":
        return ["gradient"]
    claim = case.specification()
    if case.options.get("backward") is False or getattr(claim, "activation", None) == "step":
        return []
    return ["gradient of x", *(f"gradient of {name}" for name in claim.parameter_shapes(case.input_shape))]


def _points(case: Case, tensors: dict[str, bool]) -> float:
    if isinstance(case.points, dict):
        return sum(points for tensor, points in case.points.items() if tensors.get(tensor))
    return case.points * sum(tensors.values()) / len(tensors) if tensors else 0.0


def _text(report: Any) -> str:
    """The report without its long table of figures."""
    return "\n".join(line for line in str(report).splitlines() if not line.startswith(("float", "bound =", "   ")))


def _raised(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"raised {type(error).__name__} (line {error.lineno}): {error.msg}"
    frame = own_frame(error)
    where = "" if frame is None else f" (line {frame.lineno} of {frame.name})"
    return f"raised {type(error).__name__}{where}: {error}"


def _of_rows(report: Any) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for row in report.rows:
        found[row.tensor] = found.get(row.tensor, True) and row.agrees
    for broken in getattr(report, "broken", ()):
        found[broken.tensor] = False
    return found


def _layer(case: Case, mine: Any, seed: int, hints: int) -> tuple[Any, dict[str, bool]]:
    options = {"seed": seed, "hints": hints, **case.options}
    report = bridge.check_layer(mine, case.specification(), case.input_shape, **options)
    return report, _of_rows(report)


def _loss(case: Case, mine: Any, seed: int, hints: int) -> tuple[Any, dict[str, bool]]:
    report = bridge.check_loss(mine, case.specification(), seed=seed, hints=min(hints, 2), **case.options)
    return report, _of_rows(report)


def _optimizer(case: Case, mine: Any, seed: int, hints: int) -> tuple[Any, dict[str, bool]]:
    report = bridge.check_optimizer(mine, case.specification(), seed=seed, **case.options)
    if hints < 2:
        report.explanation = None
    return report, {"parameters after every step": report.passed}


def _network(case: Case, mine: Any, seed: int, hints: int) -> tuple[Any, dict[str, bool]]:
    spec = ModelSpec("network", case.input_shape, tuple(case.specification()))
    reference = NumpyModel(spec, seed=seed, dtype="float64", dropout_seed=seed)
    foreign = bridge.model_from_layers(mine, spec, **case.options)
    bridge.copy_weights(reference, foreign)
    x = np.random.default_rng(seed).standard_normal((4, *spec.input_shape))
    report = bridge.compare_models(foreign, reference, x, seed=seed, names=("yours", "reference"))
    return report, _of_rows(report)


_CHECKS: dict[str, Callable[..., tuple[Any, dict[str, bool]]]] = {
    "layer": _layer,
    "loss": _loss,
    "optimizer": _optimizer,
    "network": _network,
}


def judge_submission(submission: Path, assignment: Assignment, secret: str, hints: int | None = None) -> list[Outcome]:
    """Judge all cases of a submission, each with a process of its own for the submission.

    The submission's process answers with arrays. What is expected, the seeds and the verdict stay in this one. The
    first case that takes too long ends the submission: code that loops in one is likely to loop in the next.
    """
    level = assignment.hints if hints is None else hints
    outcomes: list[Outcome] = []
    ended = ""
    for case in assignment.cases:
        try:
            if ended:
                outcomes.append(_error(case, ended))
                continue
            outcomes.append(_watched(submission, case, assignment, seed_of(secret, case.name), level))
        except SubmissionTimeoutError as error:
            outcomes.append(_error(case, str(error)))
            ended = f"not judged: in the case {case.name!r} {error}"
    return outcomes


def _watched(submission: Path, case: Case, assignment: Assignment, seed: int, hints: int) -> Outcome:
    try:
        with Session(assignment.seconds, assignment.memory) as session:
            try:
                session.run(submission)
            except Exception as error:
                return _error(case, f"{submission.name} {_raised(error)}")
            return judge_made(case, lambda: session.make(case.make), seed, hints)
    except SubmissionTimeoutError:
        raise
    except SubmissionEndedError as error:
        return _error(case, str(error))


def _error(case: Case, text: str) -> Outcome:
    return Outcome(case.name, 0.0, case.most, "ERROR", text=text)
