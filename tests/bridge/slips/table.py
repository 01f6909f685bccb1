"""All slips in one table: how many are caught, named, named wrongly. Run it: ``python -m tests.bridge.slips.table``."""

import copy
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grading.answering import names_of
from benchmarks.grading.assignment import load_assignment
from benchmarks.grading.judging import judge_case
from bridge import check_layer, check_loss, check_optimizer
from model_spec import Dropout
from tests.bridge.slips import layers, losses, more_layers, networks, optimizers, pairs
from tests.bridge.slips.options import OPTIONS

COURSE = Path(__file__).parents[3] / "docs" / "teaching"


@dataclass(frozen=True)
class Slip:
    """One slip.

    Attributes:
        name: of the slip.
        judge: gives (whether it passes, what is said of its cause).
        words: all of which a right sentence has.
    """

    name: str
    judge: Callable[[], tuple[bool, str]]
    words: tuple[str, ...]


def slips() -> Iterator[Slip]:
    """Layers, masks, losses, optimizers, networks with branches, and the typical submissions of the course."""
    for name, (layer, (claim, shape), options, words) in (layers.SLIPS | more_layers.SLIPS | pairs.PAIRS).items():
        judge = lambda a=layer, b=claim, c=shape, d=options: _of(check_layer(a, b, c, **d))  # noqa: E731
        yield Slip(f"layer: {name}", judge, tuple(each.strip() for each in words.split("; ")))
    for name, (layer, words) in layers.BROKEN.items():
        judge = lambda a=layer: _broken(check_layer(a, Dropout(0.3), (40,), training=True))  # noqa: E731
        yield Slip(f"mask: {name}", judge, (words,))
    for name, (loss, claim, said) in losses.WRONG.items():
        yield Slip(f"loss: {name}", lambda a=loss, b=claim: _of(check_loss(a, b)), tuple(said))
    for formula, first, claim, words in optimizers.SLIPS + OPTIONS:
        mine = copy.deepcopy(formula) if first is None else optimizers.Steps(formula, first)
        yield Slip(f"optimizer: {words}", lambda a=mine, b=claim: _optimizer(check_optimizer(a, b)), (words,))
    for name, (at, change, words) in networks.SLIPS.items():
        yield Slip(f"network: {name}", lambda a=at, b=change: _network(networks.compared(a, b)), (words,))
    for wrong in tomllib.loads((COURSE / "wrong_submissions.toml").read_text())["wrong"]:
        yield Slip(f"submission: {wrong['cause']}", lambda a=wrong: _submission(a), (wrong["cause"],))


def _of(report: Any) -> tuple[bool, str]:
    return report.passed, "; ".join(report.explanations)


def _broken(report: Any) -> tuple[bool, str]:
    return report.passed, "; ".join(broken.message for broken in report.broken)


def _optimizer(report: Any) -> tuple[bool, str]:
    return report.passed, report.explanation or ""


def _network(report: Any) -> tuple[bool, str]:
    return report.passed, "; ".join(line for line in str(report).splitlines() if line.startswith("explained"))


def _submission(wrong: dict[str, str]) -> tuple[bool, str]:
    folder = COURSE / wrong["assignment"]
    source = (folder / "solution.py").read_text().replace(wrong["replace"], wrong["by"], 1)
    names: dict[str, Any] = dict(names_of(folder / "solution.py"))
    exec(compile(source, "submission.py", "exec"), names)
    case = next(one for one in load_assignment(folder / "assignment.toml").cases if one.name == wrong["case"])
    outcome = judge_case(case, names, 5)
    said = "; ".join(line for line in outcome.text.splitlines() if line.startswith("explained"))
    return outcome.points == outcome.most, said


def run() -> dict[str, list[str]]:
    """{"caught", "missed", "named", "unnamed", "wrong": names} of all slips."""
    found: dict[str, list[str]] = {kind: [] for kind in ("caught", "missed", "named", "unnamed", "wrong")}
    for slip in slips():
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            passed, said = slip.judge()
        found["missed" if passed else "caught"].append(slip.name)
        right = all(words in said for words in slip.words)
        found["named" if right else "wrong" if said else "unnamed"].append(
            f"{slip.name} ({said})" if said else slip.name
        )
    return found


def main() -> int:
    """Print the figure, and what is not as it should be."""
    found = run()
    count = len(found["caught"]) + len(found["missed"])
    print(
        f"{count} slips: {len(found['caught'])} caught ({len(found['caught']) / count:.0%}), "
        f"{len(found['named'])} named ({len(found['named']) / count:.0%}), {len(found['unnamed'])} without a sentence, "
        f"{len(found['wrong'])} with a wrong one"
    )
    for kind in ("missed", "unnamed", "wrong"):
        print(*(f"  {kind}: {name}" for name in found[kind]), sep="\n", end="\n" * bool(found[kind]))
    return int(bool(found["missed"] or found["wrong"]) or len(found["named"]) < 0.9 * count)


if __name__ == "__main__":
    sys.exit(main())
