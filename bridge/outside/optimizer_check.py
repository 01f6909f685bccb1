"""check_optimizer: holds an optimizer written elsewhere against its specification, step by step."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bridge.conventions.optimizer_cause import explain_course
from bridge.conventions.optimizers import OPTIMIZER_CONVENTIONS
from bridge.judge.bounds import UNIT_ROUNDOFF
from bridge.lockstep.report import ENVELOPE, FLOOR
from bridge.outside.calling import in_order
from bridge.outside.external_optimizer import METHODS, ExternalOptimizerError, step_of
from bridge.outside.optimizer_steps import computes_in_float32, distances, drawn_steps, keeps_float32, rounded, taken
from bridge.outside.raised import raised_in_words
from bridge.outside.taken import need_claim, need_own
from core_numpy.contract import Array
from model_spec import optimizers as rules
from model_spec.entries import function_or_none
from model_spec.validation import boolean, positive_integer
from model_spec.verdict import ShownInShort, Verdict, largest, plain

SHAPES: dict[str, tuple[int, ...]] = {"w": (4, 3), "b": (3,)}
"""Parameters an optimizer is tried on; one that takes one at a time gets the first."""


@dataclass(repr=False)
class OptimizerReport(ShownInShort):
    """What one check of an optimizer found.

    Attributes:
        optimizer: the class or function.
        claim: what it was held against, as one would write it.
        distances: {parameter: distance from the specification after each step}.
        control: the distance of the specification's own rule, fed gradients that are moved by one unit in the last
            place, after each step.
        explanation: the convention all steps follow, where it is another one.
        error: what the optimizer raised, or "".
        notes: what a reader should know about the check.
        dtype: the precision it is judged by: float64, or float32 where it was seen to compute in that.

    Examples:
        >>> from bridge import check_optimizer
        >>> from model_spec import SGD
        >>> def step(w, dw):
        ...     w -= 0.1 * dw
        >>> report = check_optimizer(step, SGD(0.1))
        >>> report.passed
        True
    """

    optimizer: str
    claim: str
    distances: dict[str, list[float]] = field(default_factory=dict)
    control: list[float] = field(default_factory=list)
    explanation: str | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)
    dtype: str = "float64"

    @property
    def first_outside(self) -> tuple[int, str] | None:
        """(step from 1, parameter) that is first further off than rounding explains, or None."""
        floor, reach = FLOOR * UNIT_ROUNDOFF[self.dtype], 0.0
        for step, control in enumerate(self.control):
            reach = largest([reach, control])
            for name, found in self.distances.items():
                if not found[step] <= max(ENVELOPE * reach, floor):
                    return step + 1, name
        return None

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, or NOTHING COMPARED."""
        if self.error or self.first_outside is not None:
            return Verdict.DIFFER
        return Verdict.AGREE if self.control and self.distances else Verdict.NOTHING_COMPARED

    @property
    def passed(self) -> bool:
        """True where the verdict is AGREE."""
        return self.verdict == Verdict.AGREE

    @property
    def first_divergence(self) -> tuple[int, str] | None:
        """See :attr:`first_outside`."""
        return self.first_outside

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        entry: dict[str, Any] = plain({"verdict": self.verdict, "first_outside": self.first_outside, **vars(self)})
        return entry

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.optimizer} as {self.claim}, {len(self.control)} steps, {self.dtype}"]
        if self.error:
            lines.append(self.error)
        if self.first_outside is not None:
            step, name = self.first_outside
            lines.append(
                f"first difference: step {step}, parameter {name!r}, off by {self.distances[name][step - 1]:.3g} "
                f"of its size; the rule's own rounding explains {self.control[step - 1]:.1g}"
            )
        if self.explanation is not None:
            is_convention = self.explanation.startswith(tuple(one.name for one in OPTIMIZER_CONVENTIONS))
            lines.append(f"explained: {'it follows another convention: ' * is_convention}{self.explanation}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def check_optimizer(
    my_optimizer: Any,
    claim: rules.Optimizer,
    *,
    steps: int = 6,
    seed: int = 0,
    one: bool = False,
    call: Callable[[Any, dict[str, Array], dict[str, Array]], Any] | None = None,
) -> OptimizerReport:
    """Judge an optimizer by what its specification says it does to parameters, given the same gradients.

    It is fed random float64 gradients, one of which is zero in every step, and compared after every step with the
    specification's rule. How far rounding may take it is measured: by the rule itself, fed gradients that are moved by
    one unit in the last place. Where it answers, takes its steps or keeps its moments in float32, it is judged by
    float32's rounding, with a note. Where it differs, the known conventions of other frameworks and books are tried
    from the first step on. A note says where it writes into the gradients it is given.

    Args:
        my_optimizer: a fresh object with ``update(parameters, gradients)`` (or ``step``), dicts or lists of arrays,
            changed in place or returned; or a function of one parameter and its gradient that returns the new value.
        claim: what it claims to be, with the learning rate it was made with, e.g. ``SGD(0.1, momentum=0.9)``.
        steps: how many to take, at least 3: conventions may coincide in the first.
        seed: of parameters and gradients.
        one: True gives it one parameter, for optimizers that keep one set of slots.
        call: a function of (optimizer, parameters, gradients) that takes one step, for every other style.

    Raises:
        ValueError: arguments that fit nothing. What the optimizer itself raises is in the report.

    Example:
        >>> class Momentum:
        ...     def __init__(self):
        ...         self.v = {}
        ...     def update(self, params, grads):
        ...         for name in params:
        ...             self.v[name] = 0.9 * self.v.get(name, 0) - 0.1 * grads[name]
        ...             params[name] += self.v[name]
        >>> check_optimizer(Momentum(), rules.SGD(0.1, momentum=0.9)).passed
        True
    """
    in_order(my_optimizer, claim, rules.Optimizer, "check_optimizer(my_optimizer, SGD(0.1))")
    need_claim("claim", claim, rules.Optimizer, "SGD(0.1)")
    if call is None:
        need_own("my_optimizer", my_optimizer, METHODS, "an object with update(parameters, gradients), or a function")
    function_or_none("call", call, "(optimizer, parameters, gradients)")
    boolean("one", one)
    if positive_integer("steps", steps) < 3:
        raise ValueError(f"steps must be at least 3, got {steps}: conventions may coincide in the first steps")
    is_function = call is None and callable(my_optimizer) and not hasattr(my_optimizer, "update")
    names = list(SHAPES)[:1] if one or (is_function and not hasattr(my_optimizer, "step")) else list(SHAPES)
    start, gradients = drawn_steps({name: SHAPES[name] for name in names}, steps, seed, claim)
    name = getattr(my_optimizer, "__name__", type(my_optimizer).__name__)
    report = OptimizerReport(name, _written(claim), {parameter: [] for parameter in names})
    try:
        fresh = copy.deepcopy(my_optimizer)
    except Exception:  # what cannot be copied is not tried a second time
        fresh = None
    take = step_of(my_optimizer, call)
    try:
        found = taken(take, start, gradients, report.notes)
    except Exception as error:
        report.error = str(error) if isinstance(error, ExternalOptimizerError) else raised_in_words(error)
        return report
    judged = replace(report, **distances(claim, start, gradients, found))
    if judged.first_outside is None:
        return judged
    for words, rule, update in rounded(claim):
        apart = distances(rule, start, gradients, found, update=update)
        other = replace(report, notes=[*report.notes, words], **apart)
        if other.first_outside is None:
            return other
    report, in_float32 = judged, computes_in_float32(start, found) or keeps_float32(my_optimizer, start)
    if in_float32 is not None:
        single = distances(claim, start, gradients, found, "float32")
        report = replace(report, dtype="float32", notes=[*report.notes, in_float32], **single)
        if report.first_outside is None:
            return report
    report.explanation = explain_course(claim, start, gradients, found, report.dtype)
    if fresh is not None and call is None and _is_right_turned(fresh, claim, start, gradients):
        report.explanation = "its arguments have changed places: it takes gradients first; name them so, or give call="
    return report


def _is_right_turned(
    optimizer: Any, claim: rules.Optimizer, start: dict[str, Array], gradients: list[dict[str, Array]]
) -> bool:
    """True where an optimizer that is given gradients for parameters, and those for gradients, follows the claim."""
    try:
        found = taken(step_of(optimizer, None, turned=True), start, gradients)
    except Exception:  # it does not take them so
        return False
    return OptimizerReport("", "", **distances(claim, start, gradients, found)).first_outside is None


def _written(claim: rules.Optimizer) -> str:
    """The claim as one would write it: the learning rate, and what is not the default."""
    given = [
        f"{each.name}={getattr(claim, each.name)!r}"
        for each in fields(claim)
        if each.name == "learning_rate" or getattr(claim, each.name) != each.default
    ]
    return f"{type(claim).__name__}({', '.join(given)})"
