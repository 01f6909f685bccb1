"""One case of one submission judged, in this process or in one of its own with limits on time and memory."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import multiprocessing
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import bridge
from benchmarks.grading.assignment import Assignment, Case
from benchmarks.grading.surroundings import end_all, enter
from benchmarks.grading.untouched import Untouched
from core_numpy import NumpyModel
from model_spec import ModelSpec

_GRACE_SECONDS = 5.0
"""What starting a process may take beside the time of a case."""


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
    started = time.perf_counter()
    try:
        mine = eval(case.make, {"np": np, **names})  # the teacher's expression
    except Exception as error:
        return Outcome(case.name, 0.0, case.most, "ERROR", text=f"{case.make} {_raised(error)}")
    try:
        report, tensors = _CHECKS[case.kind](case, mine, seed, hints)
    except Exception as error:
        return Outcome(case.name, 0.0, case.most, "ERROR", text=_raised(error))
    points = _points(case, tensors) if report.passed or not all(tensors.values()) else 0.0
    seconds = time.perf_counter() - started
    return Outcome(case.name, points, case.most, str(report.verdict), tensors, _text(report), seconds)


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
    frames = traceback.extract_tb(error.__traceback__)
    return f"raised {type(error).__name__} (line {frames[-1].lineno} of {frames[-1].name}): {error}"


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


_CHECKS = {"layer": _layer, "loss": _loss, "optimizer": _optimizer, "network": _network}


def names_of(submission: Path) -> dict[str, Any]:
    """Run a submission's file; return its names.

    Raises:
        ValueError: there is no such file, or it raises; with the line.
    """
    if not submission.is_file():
        raise ValueError(f"no file {submission}")
    spec = importlib.util.spec_from_file_location("submission", submission)
    if spec is None or spec.loader is None:
        raise ValueError(f"{submission} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Its own folder first, as Python does for a script
    sys.path.insert(0, str(submission.parent.resolve()))
    sys.modules["submission"] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{submission.name} {_raised(error)}") from None
    return vars(module)


def _in_own_process(
    connection: Connection,
    submission: str,
    case: Case,
    seed: int,
    hints: int,
    seconds: float,
    memory: int,
    folder: str,
    mark: str,
) -> None:
    """Judge and send the outcome; what the submission prints goes nowhere."""
    enter(folder, mark)
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (memory << 20),) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    except (ImportError, OSError, ValueError):
        pass  # a system without limits: the time is watched from outside
    before = Untouched()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            outcome = judge_case(case, names_of(Path(submission)), seed, hints)
        except ValueError as error:
            outcome = Outcome(case.name, 0.0, case.most, "ERROR", text=str(error))
        except MemoryError:
            outcome = Outcome(case.name, 0.0, case.most, "ERROR", text=f"took more than {memory} MiB")
        except SystemExit as error:
            line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__))), "?")
            text = f"it ended its process by sys.exit({error.code!r}) (line {line}); remove that call"
            outcome = Outcome(case.name, 0.0, case.most, "ERROR", text=text)
    changed = before.changed()
    if changed:
        text = f"the submission replaces {', '.join(changed[:3])}, which the judge computes with: not graded"
        outcome = Outcome(case.name, 0.0, case.most, "ERROR", text=text)
    connection.send(outcome)
    connection.close()


def judge_submission(submission: Path, assignment: Assignment, secret: str, hints: int | None = None) -> list[Outcome]:
    """Judge all cases of a submission, each in a process of its own.

    A process ends loops, crashes and greed for memory. It is no protection from code that means harm: run submissions
    of people you do not trust in a container.
    """
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        # What every case needs is imported once
        context.set_forkserver_preload([__name__])
    level = assignment.hints if hints is None else hints
    return [
        _watched(context, submission, case, assignment, seed_of(secret, case.name), level) for case in assignment.cases
    ]


def _watched(context: Any, submission: Path, case: Case, assignment: Assignment, seed: int, hints: int) -> Outcome:
    receiving, sending = context.Pipe(duplex=False)
    limits = (assignment.seconds, assignment.memory)
    folder, mark = tempfile.mkdtemp(prefix="crosscheck-"), secrets.token_hex(8)
    process = context.Process(
        target=_in_own_process, args=(sending, str(submission.resolve()), case, seed, hints, *limits, folder, mark)
    )
    process.start()
    sending.close()
    try:
        if not receiving.poll(assignment.seconds + _GRACE_SECONDS):
            return Outcome(case.name, 0.0, case.most, "ERROR", text=f"took more than {assignment.seconds:g} s")
        outcome: Outcome = receiving.recv()
        return outcome
    except (EOFError, OSError):
        process.join(1)
        why = (
            f"took more than {assignment.seconds:g} s"
            if process.exitcode in (-24, -9)
            else "it ended its process, as os._exit does"
        )
        return Outcome(case.name, 0.0, case.most, "ERROR", text=f"{why} (exit code {process.exitcode})")
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        end_all(process.pid, mark)
        shutil.rmtree(folder, ignore_errors=True)
        receiving.close()
