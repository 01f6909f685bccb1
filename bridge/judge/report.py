"""ParityReport: the verdict of a comparison first, then the numbers, as text, JSON and HTML."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from bridge.judge.bounds import SAFETY
from bridge.judge.explanation import Explain, Explanation
from bridge.judge.heat_map import heat_map
from bridge.judge.local import LocalRow, Observed, judge_alone
from bridge.judge.tensor import BUG, CONVENTION, DIVERGED, TIE, VACUOUS, Row
from model_spec import ModelSpec, to_dict
from model_spec.verdict import Verdict, combine, json_text

_SHOWN_FAILURES = 12


@dataclass
class ParityReport:
    """Everything one comparison found.

    Attributes:
        spec: the network.
        seed: of the random variables and cotangents.
        sides: names of the two sides.
        rows: one per tensor, in computing order.
        prepared: what was done to the NumPy side beforehand, such as a planted fault.
        local: each layer of each side judged alone (see ``bridge.judge.local``); only where the comparison failed.
        explanations: known conventions that explain culprits (see ``bridge.conventions``).
        slips: what is wrong with culprits that follow none, in words, where it is known.
        unexplained: (side, layer) of culprits that, in some mode, none explains.
        uncertain: kinks and ties whose side rounding may decide (relu at zero, equal cells in max pooling).
        left_out: what was not compared, and why, half a sentence each.
        notes: what a reader should know, such as constants that are right both exactly and rounded.
