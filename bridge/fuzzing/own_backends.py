"""Random networks for a backend of one's own: compared with the reference, the first that differs made small and saved.

The public name is ``crosscheck.fuzz``.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.fuzzing.fuzz import Finding, failures, gives_zeros
from bridge.fuzzing.fuzz_report import FuzzReport
from bridge.fuzzing.known_layers import KnownLayers
from bridge.fuzzing.random_cases import Case, cases
from bridge.fuzzing.random_networks import need_hypothesis
from bridge.fuzzing.saved_cases import SavedCase
from bridge.fuzzing.shrink import shrink
from bridge.judge.report import ParityReport
from bridge.outside.model_comparison import compare_models
from bridge.weights import random_weights
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec.inputs import floating_dtype
from model_spec.names import shown
from model_spec.protocol import Predicts, ShowsValues, offers
from model_spec.validation import non_negative_integer, positive_integer

Make = Callable[[Any, dict[str, Array]], Any]


class _Found(BaseException):
    """Ends the drawing; no Exception, because Hypothesis would take that for a failing case and try it again."""


class _NotTaken(Exception):
    """The backend says that it does not know such a network."""


def fuzz(
    make: Make,
    *,
    networks: int = 100,
    seed: int = 0,
    layers: Iterable[Any] | None = None,
    activations: Iterable[str] | None = None,
    dtype: str = "float32",
    max_layers: int = 8,
    shrink_seconds: float = 30.0,
    directory: str | Path | None = "runs/fuzz",
    replay: str | Path | None = None,
) -> FuzzReport:
    """Draw random networks, compare a backend with the reference on each, and make the first that differs small.

    ``make(spec, weights)`` is called for each network and returns an object with the first of these methods, and where
    the backend can, with the others; what is there is compared (:func:`bridge.compare_models`). x is an array
    (examples, \\*spec.input_shape), images channels last, of ``dtype``; every result has the shape the specification
    says.

    - ``predict(x)``: the output (examples, \\*spec.output_shape) in inference mode.
    - ``activations(x, training=False, preactivations=True)``: {layer name: its output}, and in front of an activation
      that is not linear {"dense/preactivation": value}; a name that is left out is not compared.
    - ``pullback(x, cotangent, training=False)``: an object with ``parameters`` {"conv2d/kernel": gradient} of all
      parameters, ``inputs``, the gradient of x, and ``activations``, {} or gradients as named above: gradients of
      sum(cotangent * output). ``model_spec.Gradients`` is such an object; its ``loss`` is None.
    - ``loss_and_gradients(x, y, loss=loss, training=False)``: the same with ``loss``, a number, of an object of
      ``model_spec.losses``.

    With ``training=True`` Dropout drops and BatchNormalization takes the statistics of the batch; networks with Dropout
    are compared so only where the object has a ``dropout_seed`` and drops what Keras drops by it. ``make`` may return
    None, and everything may raise NotImplementedError, for a network that the backend does not know: it is counted
    apart. Networks have one input and one output, no penalties and no frozen layers.

    Args:
        make: takes (spec, weights): a ``ModelSpec`` and {"conv2d/kernel": array, "conv2d/bias": ...} in Keras' layouts.
        networks: how many to draw.
        seed: of the drawing; the same seed draws the same networks as long as the source stays as it is, of which
            Hypothesis takes constants.
        layers: classes of ``model_spec`` that the backend knows; all by default.
        activations: names of those it knows; all by default.
        dtype: "float32" or "float64" of weights and inputs, and of the bound that judges. "float64" is the sharper one.
        max_layers: of each network, 4 at least.
        shrink_seconds: how long to look for a smaller network that differs in the same way.
        directory: where the case of a finding is saved, for ``replay``; None saves nothing.
        replay: a saved case, in place of drawing.

    Returns:
        The report. It ends with the first finding; str(report) shows the smallest network as code.

    Raises:
        ValueError: an argument out of range, an unknown layer, a damaged file.
        ImportError: Hypothesis is not installed (extra "test").

    Examples:
        >>> from core_numpy import NumpyModel
        >>> from model_spec import Conv2D, Dense, Flatten
        >>> report = fuzz(
        ...     lambda spec, weights: NumpyModel(spec, weights=weights),
        ...     networks=5, layers=(Conv2D, Flatten, Dense), activations=("linear", "relu"),
        ... )
        >>> report.passed
        True
    """
    if not callable(make):
        raise ValueError(f"make must be a function of (spec, weights) that returns a model, got {shown(make)}")
    positive_integer("networks", networks)
    non_negative_integer("seed", seed)
    report = FuzzReport(dtype=str(floating_dtype(dtype)))
    if replay is not None:
        saved, arrays = SavedCase.load(Path(replay))
        report.dtype = str(saved.dtypes[0])
        _count(report, make, saved.case, arrays)
        report.saved = Path(replay) if report.finding else None
        return report
    known = KnownLayers.of(layers, activations)
    case = _first_finding(report, make, networks, seed, max_layers, known)
    if case is None or report.finding is None:
        return report
    kind = report.finding.kind

    def differs(candidate: Case) -> bool:
        try:
            again = _examined(make, candidate, report.dtype, locate=False)
        except _NotTaken:
            return False
        return isinstance(again, Finding) and again.kind == kind

    smallest = shrink(case, differs, networks, seed, shrink_seconds, max_layers, known)
    again = _examined(make, smallest, report.dtype)
    report.finding = again if isinstance(again, Finding) else report.finding
    if directory is not None:
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{report.side} {report.finding.kind}").strip("-")
        report.saved = Path(directory) / f"{name}.json"
        _save(report.finding, report.dtype, report.saved, report.side)
    return report


def _first_finding(
    report: FuzzReport, make: Make, networks: int, seed: int, max_layers: int, known: KnownLayers
) -> Case | None:
    """The first case that differs; the report counts those before it."""
    need_hypothesis()
    import hypothesis

    found: list[Case] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=networks,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(cases(max_layers, known))
    def draw(case: Case) -> None:
        _count(report, make, case)
        if report.finding is not None:
            found.append(case)
            raise _Found

    try:
        draw()
    except _Found:
        pass
    return found[0] if found else None


def _count(report: FuzzReport, make: Make, case: Case, arrays: tuple[Array, Array | None] | None = None) -> None:
    """Compare one case, and note in the report what came of it."""
    try:
        found = _examined(make, case, report.dtype, arrays)
    except _NotTaken:
        report.not_taken += 1
        return
    if isinstance(found, Finding):
        report.finding = found
        report.side = found.report.sides[1] if found.report is not None else report.side
        return
    report.side = found.sides[1]
    if gives_zeros(found) or not any(row.agrees for row in found.rows):
        report.proves_nothing += 1
    else:
        report.networks += 1


def _examined(
    make: Make, case: Case, dtype: str, arrays: tuple[Array, Array | None] | None = None, locate: bool = True
) -> ParityReport | Finding:
    """The comparison where the two sides agree, and otherwise the finding; an error of the backend is one too.

    Raises:
        _NotTaken: the backend does not know such a network.
    """
    x, y = case.arrays() if arrays is None else arrays
    weights = {name: value.astype(dtype) for name, value in random_weights(case.spec, case.seed).items()}
    try:
        made = make(case.spec, {name: value.copy() for name, value in weights.items()})
        if made is None:
            raise _NotTaken
        drops_by = getattr(made, "dropout_seed", None)
        reference = NumpyModel(case.spec, dtype=dtype, dropout_seed=drops_by, engine="reference", weights=weights)
        report = _compared(reference, made, case, x, y, locate)
    except NotImplementedError:
        raise _NotTaken from None
    except _NotTaken:
        raise
    except Exception as raised:
        return Finding(case, None, _told(raised))
    return Finding(case, report) if failures(report) else report


def _compared(reference: NumpyModel, made: Any, case: Case, x: Array, y: Array | None, locate: bool) -> ParityReport:
    if not offers(made, Predicts):
        raise TypeError(f"make must return an object with predict(x), got {shown(made)}")
    names = ("reference", type(made).__name__)
    side = made if not case.spec.dropout_layers or hasattr(made, "dropout_seed") else _OfUnknownMasks(made)
    report = compare_models(reference, side, x, y, case.seed, case.loss, names, locate)
    if offers(made, ShowsValues):
        # Where activations are shown, the output is read off them; predict may be another way
        alone = compare_models(reference, _Predicting(made), x, None, case.seed, None, names, locate=False)
        report.rows += [replace(row, tensor=f"{row.tensor} by predict") for row in alone.rows]
    return report


class _OfUnknownMasks:
    """A model of which nobody knows what it drops: training mode is left out."""

    shows_dropout = False

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class _Predicting:
    """Of a model its predictions alone."""

    def __init__(self, model: Any) -> None:
        self.predict = model.predict


def _told(raised: Exception) -> str:
    """What was raised, and by which line of whose file."""
    frames = traceback.extract_tb(raised.__traceback__)
    last = frames[-1]
    return f"{type(raised).__name__}: {raised} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def _save(finding: Finding, dtype: str, path: Path, side: str) -> None:
    report = None if finding.report is None else finding.report.to_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    SavedCase(finding.case, (dtype,), ("eager",), None, report, finding.error, side).save(path)
