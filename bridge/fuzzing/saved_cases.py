"""Cases on disk: what to compare and how, the verdict it had, and the very arrays; as a pytest file too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

import numpy as np

from bridge.fuzzing.fuzz import Finding, examine
from bridge.fuzzing.random_cases import Case
from bridge.judge.backends import DTYPES, FAST, Prepare
from bridge.judge.report import ParityReport
from bridge.weights import random_weights
from core_numpy.contract import Array
from model_spec import array_archives, untrusted
from model_spec.names import printable, shown
from model_spec.verdict import json_text
from model_spec.whole_files import whole_file, write_whole

PATHS = ("eager", "graph", "xla", FAST)
"""What a case can be compared on."""

_PYTEST = '''"""{title}; written by crosscheck replay."""

from bridge.fuzzing.fuzz import Case, check, failures
{imports}
CASE = {case}


def test_backends_agree():
    report = check(Case.from_dict(CASE), dtypes={dtypes}, prepare={prepare}, paths={paths})
    assert not failures(report), str(report)
'''


def _words(name: str, value: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Some of the known words, from a file."""
    if not isinstance(value, list) or not value or not all(word in known for word in value):
        raise ValueError(f"{name} must be a list of some of {', '.join(known)}, got {shown(value)}")
    return tuple(value)


@dataclass(frozen=True)
class SavedCase:
    """A case with how it was compared and what came of it.

    Attributes:
        case: the network and the recipe of its data.
        dtypes: precisions it was compared in.
        paths: Keras' numeric paths.
        fault: name of the fault planted where it fits, or None.
        report: the report as a dict (``ParityReport.to_dict``); None where a backend raised or nothing was compared.
        error: what a backend raised.
        side: the name of a backend written elsewhere that was compared with the reference; None of NumPy and Keras.
    """

    case: Case
    dtypes: Sequence[str] = DTYPES
    paths: Sequence[str] = ("eager",)
    fault: str | None = None
    report: dict[str, Any] | None = None
    error: str | None = None
    side: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        options = {"dtypes": list(self.dtypes), "paths": list(self.paths), "fault": self.fault}
        options |= {} if self.side is None else {"side": self.side}
        return {"case": self.case.to_dict(), "options": options, "report": self.report, "error": self.error}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> SavedCase:
        """Build what :meth:`to_dict` wrote; a bare ``Case.to_dict()`` is taken too."""
        if not isinstance(entry, dict) or "case" not in entry:
            return cls(Case.from_dict(entry))
        known, ways = {"case", "options", "report", "error"}, {"dtypes", "paths", "fault"}
        options = entry.get("options")
        if set(entry) != known or not isinstance(options, dict) or set(options) - {"side"} != ways:
            raise ValueError(
                f"a saved case must be a table with {', '.join(sorted(known))} and options dtypes, fault, paths, "
                f"got {', '.join(shown(name) for name in sorted(entry))}; take a file that crosscheck fuzz has written"
            )
        fault, report, error, side = options["fault"], entry["report"], entry["error"], options.get("side")
        if not all(isinstance(text, str | None) for text in (fault, error, side)):
            given = ", ".join(map(shown, (fault, error, side)))
            raise ValueError(f"fault, error and side must be text or null, got {given}")
        if report is not None and not (isinstance(report, dict) and isinstance(report.get("verdict"), str)):
            raise ValueError(f"report must be a table with a verdict, or null, got {shown(report)}")
        dtypes, paths = _words("dtypes", options["dtypes"], DTYPES), _words("paths", options["paths"], PATHS)
        return cls(Case.from_dict(entry["case"]), dtypes, paths, fault, report, error, side)

    @property
    def verdict(self) -> str:
        """The saved verdict, or the error; "none" where nothing was compared."""
        return self.error or ("none" if self.report is None else str(self.report["verdict"]))

    def save(self, path: Path) -> None:
        """Write ``path`` (.json) and beside it the inputs, targets (none of several outputs) and weights (.npz)."""
        x, y = self.case.arrays()
        weights = {f"weights/{name}": value for name, value in random_weights(self.case.spec, self.case.seed).items()}
        targets = {} if y is None else {"y": y}
        with whole_file(path.with_suffix(".npz")) as file:
            np.savez(file, x=x, **targets, **weights)  # type: ignore[arg-type]
        write_whole(path, json_text(self.to_dict()))

    @classmethod
    def load(cls, path: Path) -> tuple[SavedCase, tuple[Array, Array | None] | None]:
        """The case of a .json file with the inputs and targets of the .npz beside it; None where there is none.

        Raises:
            ValueError: no such file, a damaged one, or weights this NumPy does not draw.
        """
        try:
            saved = cls.from_dict(untrusted.parse_json(untrusted.read_bytes(path, untrusted.LARGEST_TEXT)))
        except FileNotFoundError:
            raise ValueError(f"no file {path}; give a case that crosscheck fuzz has saved") from None
        except (ValueError, OSError) as error:
            raise ValueError(f"{path} cannot be read: {printable(str(error))}") from None
        beside = path.with_suffix(".npz")
        if not beside.is_file():
            return saved, None
        try:
            size = untrusted.check_size(beside, untrusted.LARGEST_FILE)
            with open(beside, "rb") as file:
                arrays = array_archives.read(file, size)
        except Exception as error:  # zipfile and NumPy raise a dozen kinds for a damaged file
            reason = printable(str(error))
            raise ValueError(f"{beside} cannot be read: {reason}; remove it to draw the arrays again") from None
        drawn = random_weights(saved.case.spec, saved.case.seed)
        if any(not np.array_equal(value, arrays.get(f"weights/{name}", np.nan)) for name, value in drawn.items()):
            raise ValueError(
                f"{beside} holds other weights than NumPy {np.__version__} draws from seed {saved.case.seed}; "
                f"use the NumPy that wrote it, or remove it to draw the arrays again"
            )
        several = saved.case.spec.outputs is not None
        missing = [name for name in (("x",) if several else ("x", "y")) if name not in arrays]
        if missing:
            raise ValueError(f"{beside} lacks {' and '.join(missing)}; remove it to draw the arrays again")
        expected = (saved.case.batch, *saved.case.spec.input_shape)
        if several and arrays["x"].shape == expected:
            return saved, (arrays["x"], None)
        held = {name: arrays[name].shape for name in ("x", "y") if name in arrays}
        if arrays["x"].shape != expected or several or len(np.atleast_1d(arrays["y"])) != saved.case.batch:
            raise ValueError(
                f"{beside} holds {' and '.join(f'{name} of shape {shape}' for name, shape in held.items())}, the case "
                f"has {expected}; remove it to draw the arrays again"
            )
        return saved, (arrays["x"], arrays["y"])

    def replay(
        self, arrays: tuple[Array, Array | None] | None = None, prepare: Prepare | None = None
    ) -> tuple[ParityReport | None, Finding | None]:
        """Compare again in the same way: the report (None where a backend raised) and the finding (None: they agree).

        Args:
            arrays: inputs and targets; drawn from the case's seed where None.
            prepare: what plants ``fault``, where the case has one: ``bridge.plant(case.fault)``.

        Raises:
            ValueError: the case has a fault, and nothing to plant it with; or is a finding of somebody's own backend.
        """
        self._need_our_backends()
        if self.fault is not None and prepare is None:
            raise ValueError(f"this case has fault {self.fault!r}; replay it with prepare=bridge.plant({self.fault!r})")
        return examine(self.case, self.dtypes, prepare, self.paths, arrays=arrays)

    def _need_our_backends(self) -> None:
        if self.side is not None:
            raise ValueError(
                f"this case is a finding of {shown(self.side)}, a backend written elsewhere: compare it again with "
                f"crosscheck.fuzz(make, replay=path), where make(spec, weights) builds that backend"
            )

    def as_pytest(self) -> str:
        """Text of a pytest file that compares the case in the same way and fails where the backends differ.

        Raises:
            ValueError: it is a finding of somebody's own backend.
        """
        self._need_our_backends()
        return _PYTEST.format(
            title=f"The backends {'differ' if self.verdict != 'AGREE' else 'agree'} on a random network",
            case=pformat(self.case.to_dict(), width=118, sort_dicts=False),
            dtypes=tuple(self.dtypes),
            imports="from bridge import plant\n" if self.fault else "",
            prepare=f"plant({self.fault!r})" if self.fault else None,
            paths=tuple(self.paths),
        )
