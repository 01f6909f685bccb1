"""Verdict: what a comparison concluded, how several are combined, and the largest of several errors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a comparison concluded. Each is its own text: ``Verdict.AGREE == "AGREE"``.

    Attributes:
        AGREE: something was compared, and all of it agrees.
        DIFFER: something was compared, and some of it differs.
        NOTHING_COMPARED: there was nothing to compare, or it proves nothing, such as zeros on both sides.
        BOTH_DIVERGED: both sides left the finite numbers in the same way, so nothing can be said from there on.
        FAILED: some part could not be computed.
    """

    AGREE = "AGREE"
    DIFFER = "DIFFER"
    NOTHING_COMPARED = "NOTHING COMPARED"
    BOTH_DIVERGED = "BOTH DIVERGED"
    FAILED = "FAILED"


_BY_WEIGHT = (Verdict.DIFFER, Verdict.FAILED, Verdict.BOTH_DIVERGED, Verdict.NOTHING_COMPARED)


def combine(verdicts: Iterable[Verdict | str]) -> Verdict:
    """The verdict on all parts: AGREE only where there are parts and each of them agrees.

    >>> combine([Verdict.AGREE, Verdict.DIFFER]), combine([])
    (<Verdict.DIFFER: 'DIFFER'>, <Verdict.NOTHING_COMPARED: 'NOTHING COMPARED'>)
    """
    found = {Verdict(verdict) for verdict in verdicts}
    if not found:
        return Verdict.NOTHING_COMPARED
    return next((verdict for verdict in _BY_WEIGHT if verdict in found), Verdict.AGREE)


def largest(values: Iterable[float], default: float = 0.0) -> float:
    """The largest value; one that is not a number counts as infinite, for it keeps no bound.

    >>> largest([1.0, float("nan"), 2.0]), largest([])
    (inf, 0.0)
    """
    return max((math.inf if math.isnan(value) else float(value) for value in values), default=default)


def plain(value: Any) -> Any:
    """The value as JSON can hold it: numbers that are not finite become strings, keys and unknown objects too.

    >>> plain({"ratio": float("inf"), "index": (1, 2)})
    {'ratio': 'inf', 'index': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def json_text(value: Any, indent: int | None = 1) -> str:
    """The value as JSON text that any reader of JSON takes: without NaN and Infinity."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


class ShownInShort:
    """Gives reports a short repr: the verdict and what differs first; ``print`` shows all of it.

    A failing ``assert report.passed, report`` prints the repr, of which pytest cuts out what is beyond 240 characters.
    """

    def __repr__(self) -> str:
        lines = str(self).splitlines()
        head = [line for at, line in enumerate(lines) if at == 0 or line.startswith(("first ", "raised: "))][:2]
        shown = [line if len(line) <= 100 else f"{line[:97]}..." for line in head]
        return "\n".join([*shown, *(["print it for the rest"] if len(lines) > len(head) else [])])
