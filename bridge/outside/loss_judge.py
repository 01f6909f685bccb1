"""Judges one way to feed a loss written elsewhere: what it gave for random batches and at the edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bridge.conventions.loss_cause import as_rows, is_of_all_pairs, loss_causes
from bridge.conventions.loss_forms import LossFeed, LossForm, claimed, with_rounded_constants
from bridge.judge.bounds import Expected
from bridge.judge.bounds.losses import LossError, LossTrace, loss_error
from bridge.judge.rounding import Rounding
from bridge.judge.tensor import VACUOUS, Place, Row, judge
from bridge.outside.layer_report import Broken, LayerReport
from bridge.outside.loss_calling import LossCalling
from bridge.outside.loss_draws import drawn
from bridge.outside.loss_overflow import overflow_in_words
from bridge.outside.raised import raised_in_words
from core_numpy.contract import Array
from core_numpy.losses import loss_function
from core_numpy.ops.activations import sigmoid
from core_numpy.ops.softmax import softmax
from model_spec import losses as rules
from model_spec.verdict import Verdict

_DRAWS = 4
"""Batches of one size, so that a constant can be told from a coincidence."""


@dataclass(repr=False)
class LossReport(LayerReport):
    """What one check of a loss found: a :class:`LayerReport` whose tensors are "loss" and "gradient".

    Attributes:
        fed: what the loss was found to take, such as "logits, one-hot rows".

    Examples:
        >>> import numpy as np
        >>> from bridge import check_loss
        >>> from model_spec.losses import MeanSquaredError
        >>> report = check_loss(lambda y, t: (((y - t) ** 2).mean(), 2 * (y - t) / y.size), MeanSquaredError())
        >>> report.passed
        True
    """

    fed: str = ""


@dataclass
class LossJudge:
    """One way to feed a loss."""

    loss: Any
    claim: Any
    rule: rules.Loss
    logits: bool
    form: str
    outputs: int
    batch: int
    seed: int
    reduction: str
    gradient_of: str
    layout: str
    call: Callable[..., Any] | None
    hints: int
    feeds: list[LossFeed] = field(default_factory=list)
    tolerance: float = 1e-9

    def run(self) -> LossReport:
        """Draw, feed, judge and explain."""
        calling = LossCalling(self.loss, self.call, self.layout == "columns")
        kind = isinstance(self.rule, rules.Crossentropy)
        fed = ("logits" if self.logits else "probabilities") if kind else "values"
        name = getattr(self.loss, "__name__", type(self.loss).__name__)
        claim = self.claim if isinstance(self.claim, str) else type(self.rule).__name__
        report = LossReport(name, f"{claim}, {self.reduction} over the batch", "training", hints=self.hints, fed=fed)
        axis = "columns" if self.layout == "columns" else "rows"
        report.fed = f"{fed}, {'classes' if self.form == 'classes' else f'{axis} of targets'}"
        for dtype in ("float64", "float32"):
            for draw in range(_DRAWS):
                y, t = self._draw(draw)
                self._one(calling, report, y, t, dtype, "")
        for name in sorted(calling.overwritten):
            words = f"it writes into the {name} it is given, so the caller's array is changed: work on a copy"
            report.broken.append(Broken(name, "float64", words))
        report.tried = [f"random points (seed {self.seed}, {self.batch} examples, {report.fed})"]
        if report.verdict == Verdict.AGREE:
            self._edges(calling, report)
        if report.verdict != Verdict.AGREE and self.feeds and all(one.tensor == "gradient" for one in report.broken):
            report.explanations += loss_causes(self.rule, self.logits, self.feeds, self.tolerance, self.reduction)
        if not report.broken and not any(row.tensor == "gradient" for row in report.rows):
            report.notes.append("only the value was judged: no gradient was given")
        if self.layout == "columns" and self.outputs == 1 and report.passed and self._is_right_in_columns_alone():
            shapes = f"({self.batch},) against ({self.batch}, 1) is broadcast to ({self.batch}, {self.batch})"
            report.notes.append(f"right for columns alone: where an example is a row, {shapes}")
        return report

    @property
    def is_of_all_pairs(self) -> bool:
        """True where what it gave is the loss of every output against every target."""
        return is_of_all_pairs(self.rule, self.logits, self.feeds, self.reduction)

    def _is_right_in_columns_alone(self) -> bool:
        rows = replace(self, layout="rows", feeds=[])
        rows.run()
        return rows.is_of_all_pairs

    def _draw(self, draw: int) -> tuple[Array, Array]:
        return drawn(self.rule, self.logits, self.batch, self.outputs, self.seed, draw)

    def _one(self, calling: LossCalling, report: LossReport, y: Array, t: Array, dtype: str, case: str) -> None:
        rows = as_rows(t, y)
        given = t if self.form == "classes" else rows.astype(dtype)
        end = f" on {case}" if case else ""
        try:
            with np.errstate(all="ignore"):
                value, gradient = calling(y.astype(dtype), given)
            if value is None:
                report.broken.append(Broken(f"loss{end}", dtype, "it returned None: is a return missing?"))
                return
            of_gradient = self._answered(report, gradient, dtype)
            of_value = self._answered(report, value, of_gradient)
            number = np.asarray(value, np.float64)
            gradient = None if gradient is None else np.asarray(gradient, np.float64)
        except Exception as error:  # whatever a foreign loss raises is a finding
            message = raised_in_words(error)
            report.broken.append(Broken(f"loss{end}", dtype, message, raised=True))
            return
        if number.size != 1:
            note = f"it gives one value for each of {number.size}; their {self.reduction} was judged"
            report.notes += [] if note in report.notes else [note]
            number = np.asarray(number.mean() if self.reduction == "mean" else number.sum())
        number = number.reshape(())
        if dtype == "float64" and not case:
            self.feeds.append(LossFeed(y, rows, float(number), gradient))
        self._judge_value(report, y, rows, number, of_value, end)
        if gradient is not None:
            self._judge_gradient(report, y, rows, gradient, of_gradient, end)

    def _answered(self, report: LossReport, found: Any, dtype: str) -> str:
        """The precision to judge by: float32 where it answers in less than it is fed, with a note."""
        kind = np.asarray(found).dtype
        if found is None or kind.kind != "f" or kind.itemsize >= np.dtype(dtype).itemsize:
            return dtype
        note = f"fed {dtype}, the loss answers in {kind.name}"
        report.notes += [] if note in report.notes else [note]
        self.tolerance = 3e-5
        return "float32"

    def _error(self, y: Array, rows: Array, dtype: str) -> LossError:
        return loss_error(Rounding.of(dtype), LossTrace(self.rule, self.logits, y, np.zeros_like(y), rows))

    def _judge_value(self, report: LossReport, y: Array, rows: Array, number: Array, dtype: str, end: str) -> None:
        place = Place(dtype, "training", "eager", "loss gradient")
        rounding, scale = Rounding.of(dtype), 1.0 if self.reduction == "mean" else float(len(y))
        form = claimed(self.rule, self.logits)
        error = self._error(y, rows, dtype)
        value = np.asarray(form.value(y, rows).mean() * scale)
        # Textbook forms sum a term for each output, and round each
        terms = np.square(np.maximum(np.abs(form.value(y, rows)), np.abs(y).max())).sum() / len(y) ** 2
        variance = (error.value + rounding.unit * (4 + y.shape[-1]) * terms) * scale**2
        row = self._row(number, Expected(value, variance, np.zeros(())), place, f"loss{end}")
        rounded = with_rounded_constants(self.rule)
        if rounded is not None and not row.agrees:
            value = np.asarray(rounded.value(y, rows).mean() * scale)
            other = self._row(number, Expected(value, variance, np.zeros(())), place, f"loss{end}")
            if other.agrees:
                row = other
                report.notes += [] if rounded.words in report.notes else [rounded.words]
        self._keep(report, row, end)

    def _judge_gradient(self, report: LossReport, y: Array, rows: Array, gradient: Array, dtype: str, end: str) -> None:
        place = Place(dtype, "training", "eager", "loss gradient")
        rounding, scale = Rounding.of(dtype), 1.0 if self.reduction == "mean" else float(len(y))
        form, error = claimed(self.rule, self.logits), self._error(y, rows, dtype)
        if gradient.shape != y.shape:
            report.broken.append(Broken(f"gradient{end}", dtype, f"has shape {gradient.shape}, expected {y.shape}"))
            return
        wanted = [form.gradient(y, rows) / len(y) * scale, self._keras(y, rows) / len(y) * scale]
        if self.gradient_of == "logits" and not self.logits:
            wanted = [self._of_logits(form, y, rows) / len(y) * scale]
        # exp(z - logsumexp(z)) is a textbook form: the rounding of the exponent is that of the largest logit
        exponent = 2 * rounding.unit * np.square(self._exponents(y) / len(y))
        variance = (error.gradient + exponent) * scale**2
        found = [self._expected(each, variance, rounding, y, scale) for each in wanted]
        judged = [judge(gradient, each.value, each, place, f"gradient{end}", "loss") for each in found]
        best = min(judged, key=lambda row: (not row.agrees, row.error_over_bound))
        self._keep(report, best, end)

    def _expected(self, value: Array, variance: Array, rounding: Rounding, y: Array, scale: float) -> Expected:
        own = rounding.unit * (8 * np.square(value) + 4 * np.square(scale / y.size if y.size else 0.0))
        return Expected(value, variance + own, np.zeros_like(value))

    def _exponents(self, y: Array) -> Array:
        """Each probability times the largest logit it is computed from; 0 where there are no logits."""
        if not (self.logits and isinstance(self.rule, rules.Crossentropy)):
            return np.zeros_like(y)
        if isinstance(self.rule, rules.BinaryCrossentropy):
            return np.asarray(sigmoid(y) * y / y[0].size)
        return np.asarray(softmax(y) * np.abs(y).max(axis=-1, keepdims=True))

    def _keras(self, y: Array, rows: Array) -> Array:
        return loss_function(self.rule, self.logits)(y, rows)[1]

    def _of_logits(self, form: LossForm, y: Array, rows: Array) -> Array:
        dy = form.gradient(y, rows)
        if isinstance(self.rule, rules.CategoricalCrossentropy):
            return np.asarray(y * (dy - (dy * y).sum(axis=-1, keepdims=True)))
        return np.asarray(dy * y * (1 - y))

    def _row(self, found: Array, expected: Expected, place: Place, tensor: str) -> Row:
        return judge(found, expected.value, expected, place, tensor, "loss")

    def _keep(self, report: LossReport, row: Row, end: str) -> None:
        """One row for each tensor and precision, the worst of all draws; those of edge cases where they fail.

        Where all is 0, as a hinge's may be by luck, a batch proves nothing: it counts where no other one does more.
        """
        if row.verdict == VACUOUS and (end or any(one.tensor == row.tensor for one in report.rows)):
            return
        report.rows = [one for one in report.rows if one.verdict != VACUOUS or one.tensor != row.tensor]
        same = [at for at, one in enumerate(report.rows) if (one.dtype, one.tensor) == (row.dtype, row.tensor)]
        if not same:
            if not end or not row.agrees:
                report.rows.append(row)
        elif (row.agrees, -row.error_over_bound) < (
            report.rows[same[0]].agrees,
            -report.rows[same[0]].error_over_bound,
        ):
            report.rows[same[0]] = row

    def _edges(self, calling: LossCalling, report: LossReport) -> None:
        """Logits of +-1000; one example; probabilities of 0, where the value is said in a note."""
        y, t = self._draw(_DRAWS)
        kind = isinstance(self.rule, rules.Crossentropy)
        self._one(calling, report, y[:1], t[:1], "float64", "one example")
        report.tried.append("one example")
        if kind and self.logits:
            large = (np.sign(y) * 1000).astype(np.float64)
            before = len(report.rows)
            self._one(calling, report, large, t, "float64", "logits of +-1000")
            report.tried.append("logits of +-1000")
            if any(np.isnan(row.values[0]) for row in report.rows[before:]):
                targets = t if self.form == "classes" else as_rows(t, y)
                report.explanations.append(overflow_in_words(self.rule, calling, y, targets))
            elif any(np.isinf(row.values[0]) and row.tensor.startswith("loss") for row in report.rows[before:]):
                report.rows = [row for row in report.rows if not np.isinf(row.values[0])]
                report.notes.append("the loss is infinite at logits of +-1000: a probability of 0 has no logarithm")
        elif kind:
            sure = y.copy()
            sure[0] = 0.0
            sure[0, -1] = 1.0
            number = self._told(calling, sure, t if self.form == "classes" else as_rows(t, y))
            if not np.isfinite(number):
                report.notes.append(f"a probability of 0 gives {number}; Keras keeps them in 1e-7 .. 1 - 1e-7")
            report.tried.append("probabilities of 0 and 1 (value told, not judged)")
        elif isinstance(self.rule, rules.KLDivergence):
            number = self._told(calling, y, np.eye(self.outputs)[t.argmax(axis=1)])
            if not np.isfinite(number):
                report.notes.append(
                    f"a target of 0 gives {number}, where 0 log 0 is 0; Keras keeps targets in 1e-7 .. 1"
                )
            report.tried.append("targets of 0 and 1 (value told, not judged)")
        elif isinstance(self.rule, (rules.Hinge, rules.SquaredHinge)):
            bits = (t + 1) / 2
            bits[0] = 0.0
            number, wanted = self._told(calling, y, bits), float(loss_function(self.rule, False)(y, bits)[0].mean())
            if not abs(number - wanted) <= self.tolerance * max(abs(wanted), 1.0):
                words = "Keras takes them for -1 and 1, by 2 t - 1"
                report.notes.append(f"targets of 0 and 1 give {number:.6g} in place of {wanted:.6g}: {words}")
            report.tried.append("targets of 0 and 1 (value told, not judged)")

    def _told(self, calling: LossCalling, y: Array, given: Array) -> float:
        """The mean value over the batch; NaN where it gives none."""
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(calling(y, given)[0], np.float64)
        except Exception:  # a foreign loss may refuse what is outside its range
            return float("nan")
        return float(value.mean() / (len(y) if self.reduction == "sum" and value.size == 1 else 1))
