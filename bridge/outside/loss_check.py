"""check_loss: holds a loss written elsewhere, its value and its gradient, against its specification."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.outside.calling import in_order
from bridge.outside.loss_calling import VALUE, LossCalling
from bridge.outside.loss_judge import LossJudge, LossReport
from bridge.outside.taken import need_claim, need_own
from model_spec import losses as rules
from model_spec.entries import function_or_none
from model_spec.validation import boolean, one_of, positive_integer


def check_loss(
    my_loss: Any,
    claim: Any,
    *,
    outputs: int = 5,
    batch: int = 8,
    seed: int = 0,
    reduction: str = "mean",
    from_logits: bool | None = None,
    targets: str | None = None,
    gradient_of: str = "outputs",
    layout: str = "rows",
    call: Callable[..., Any] | None = None,
    hints: int = 2,
) -> LossReport:
    """Judge a loss by what its specification says: its value and its gradient with respect to what it is given.

    It is fed random outputs and targets in float64 and float32; then large logits, or probabilities of 0 and 1. A
    divergence and a hinge are fed targets of 0 and 1 too: a note says where a value is not Keras'. Where the claim
    does not say whether it takes logits or probabilities, and classes or one-hot rows, all are tried, and what it was
    found to take is in the report. Probabilities are taken as they are: both -t / p and Keras' gradient, which divides
    by their sum, are right.

    Args:
        my_loss: an object with ``forward(outputs, targets)`` and ``backward()``, under these or other common names; a
            function that gives the value, or value and gradient; or a pair of functions.
        claim: a loss of model_spec or its name, such as ``"categorical_crossentropy"``.
        outputs: of an example.
        batch: number of examples.
        seed: of what is drawn.
        reduction: "mean" or "sum" over the batch.
        from_logits: True where it takes logits, False for probabilities; None tries both.
        targets: "rows" or "classes"; None tries both.
        gradient_of: "outputs", or "logits" where it takes probabilities and hands back the gradient of the logits in
            front of a softmax or sigmoid.
        layout: "rows", or "columns" where an example is a column: (outputs, examples), as in lecture notes.
        call: a function of (loss, outputs, targets) that gives the value, or (value, gradient), for every other style.
        hints: 1 where, 2 also what.

    Raises:
        ValueError: arguments that fit nothing. What the loss itself raises is in the report.

    Example:
        >>> def squares(y_true, y_pred):
        ...     return ((y_pred - y_true) ** 2).mean(), 2 * (y_pred - y_true) / y_true.size
        >>> check_loss(squares, "mean_squared_error").passed
        True
    """
    in_order(my_loss, claim, rules.Loss, 'check_loss(my_loss, "mse")')
    if not isinstance(claim, str):
        need_claim("claim", claim, rules.Loss, 'Huber() or its name, "huber"')
    rule = rules.get(claim)
    if call is None:
        need_own("my_loss", my_loss, VALUE, "an object with forward(outputs, targets), or a function")
    function_or_none("call", call, "(loss, outputs, targets)")
    if from_logits is not None:
        boolean("from_logits", from_logits)
    if hints not in (1, 2, 3):
        raise ValueError(f"hints must be 1 (where), 2 (what) or 3 (how), got {hints!r}")
    one_of("reduction", reduction, ("mean", "sum"))
    one_of("gradient_of", gradient_of, ("outputs", "logits"))
    one_of("layout", layout, ("rows", "columns"))
    if positive_integer("outputs", outputs) == 1 and isinstance(
        rule, (rules.CategoricalCrossentropy, rules.KLDivergence)
    ):
        raise ValueError(
            f"outputs must be at least 2 for {type(rule).__name__}, got 1: a single share is always 1 and its loss 0; "
            f'a loss of one probability is "binary_crossentropy"'
        )
    positive_integer("batch", batch)
    from_logits = getattr(rule, "from_logits", None) if from_logits is None else from_logits
    best: LossReport | None = None
    fresh = _copied(my_loss)  # what the first trials leave in it is no part of the later ones
    checks: list[LossJudge] = []
    for logits in _choices(rule, from_logits):
        for form in _target_forms(claim, rule, targets):
            check = LossJudge(
                my_loss, claim, rule, logits, form, outputs, batch, seed, reduction, gradient_of, layout, call, hints
            )
            checks.append(check)
            report = check.run()
            if report.passed:
                return report
            if best is None or _rank(report) > _rank(best):
                best = report
    if best is None:
        raise ValueError("nothing was tried")
    if any(check.is_of_all_pairs for check in checks):
        return best  # it is right for columns by chance: one of its two arrays has lost its shape
    if not any(" on " not in one.tensor for one in best.failures):
        return best  # it is right but for an edge case: no other layout or order explains that
    for check in checks:
        check.loss = _copied(fresh)
    if layout == "rows" and any(_is_right(replace(check, layout="columns", feeds=[])) for check in checks):
        words = 'it is right where an example is a column, (outputs, examples): give layout="columns", or it takes the'
        best.explanations.append(f"{words} number of outputs for that of examples")
    elif call is None:
        best.explanations = _in_the_other_order(checks) or best.explanations
    return best


def _copied(loss: Any) -> Any:
    try:
        return copy.deepcopy(loss)
    except Exception:  # what cannot be copied is tried as it is
        return loss


def _is_right(check: LossJudge) -> bool:
    try:
        return check.run().passed
    except (TypeError, ValueError, IndexError):
        return False


def _in_the_other_order(checks: list[LossJudge]) -> list[str]:
    """Words for a loss that is right where targets and outputs change places, or []."""
    calling = LossCalling(checks[0].loss, None)
    for check in checks:
        turned = replace(check, call=lambda _, outputs, targets: calling(outputs, targets, turned=True), feeds=[])
        if not _is_right(turned):
            continue
        words = "its arguments have changed places: it is right where the targets come first and the outputs second"
        if not _is_even(check.rule):
            return [words]
        sign = "the gradient is -1 times the true value: the sign is the other way round"
        return [sign if calling.names_say else f"{sign}, or {words}"]
    return []


def _is_even(rule: rules.Loss) -> bool:
    """True where the value does not tell outputs from targets."""
    return isinstance(
        rule,
        (rules.MeanSquaredError, rules.HalfSumSquaredError, rules.MeanAbsoluteError, rules.Huber, rules.LogCosh),
    )


def _choices(rule: rules.Loss, from_logits: bool | None) -> tuple[bool, ...]:
    if not isinstance(rule, rules.Crossentropy):
        return (False,)
    return (False, True) if from_logits is None else (from_logits,)


def _target_forms(claim: Any, rule: rules.Loss, targets: str | None) -> tuple[str, ...]:
    if targets is not None:
        return (one_of("targets", targets, ("rows", "classes")),)
    if not isinstance(rule, rules.CategoricalCrossentropy):
        return ("rows",)
    return ("classes", "rows") if isinstance(claim, str) and "sparse" in claim.lower() else ("rows", "classes")


def _rank(report: LossReport) -> tuple[int, int, int, int, int]:
    """A report that ran, gave numbers, has more right, explains and says it simply is nearer to what is meant.

    What is right comes before what is explained: fed the other way, a value that is right looks like a slip too.
    """
    return (
        -len(report.broken),
        sum(bool(np.isfinite(row.values[0])) for row in report.rows),
        sum(row.agrees for row in report.rows),
        min(len(report.explanations), 1),
        -sum(1 + words.count("; and ") for words in report.explanations),
    )
