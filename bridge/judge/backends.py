"""Build a network on both backends and compare everything it computes."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bridge.judge.comparison import compare_models
from bridge.judge.explanation import Explain, explain_nothing
from bridge.judge.report import ParityReport
from bridge.weights import copy_weights, random_weights
from core_numpy import NumpyModel
from core_numpy.tiers import why_not_fast
from model_spec import ModelSpec, UpSampling2D
from model_spec.entries import function_or_none
from model_spec.layers.base import LayerSpec

Prepare = Callable[[NumpyModel], str | None]
"""Changes a NumPy model before it is compared, and returns what the report shall say of it."""


DTYPES = ("float64", "float32")


def former_fault(prepare: Prepare | None, fault: Any) -> Prepare | None:
    """What to prepare a model with, where it may have been given as ``fault=``, the argument's former name."""
    if fault is None:
        return prepare
    if not hasattr(fault, "plant"):
        raise ValueError(f"fault={fault!r} is now prepare=bridge.plant({fault!r})")
    warnings.warn("fault=... is now prepare=bridge.plant(...)", DeprecationWarning, stacklevel=4)
    planted: Prepare = fault.plant
    return planted


FAST = "fast"
"""The path on which NumPy runs its plans of fused blocks; see ``core_numpy.engine``."""


def compare(
    spec: ModelSpec,
    x: Any,
    y: Any = None,
    seed: int = 0,
    dtype: str | Sequence[str] = DTYPES,
    loss: Any = None,
    prepare: Prepare | None = None,
    paths: str | Sequence[str] = ("eager",),
    locate: bool = True,
    explain: Explain = explain_nothing,
    fault: Any = None,
) -> ParityReport:
    """Build the network on both backends and compare everything it computes.

    The comparison is hard to pass by accident: every variable gets random values, the two models are built from
    different seeds and get the same weights only through :func:`copy_weights`, cotangents are random, and inference
    and training mode (dropout on) are both run.

    Args:
        spec: the network.
        x: inputs (examples, *input shape).
        y: targets in the form the loss needs; None leaves the loss out, as it has to be for several outputs.
        seed: of the random variables and cotangents.
        dtype: one precision or several; both by default. float64 proves the algorithm, float32 says which side is
            nearer to the float64 truth.
        loss: a loss or its name; cross-entropy by default.
        prepare: called with each NumPy model before it is compared, to change it; what it returns is noted in the
            report. ``bridge.plant("flipped-kernel")`` plants a known fault, to see it caught.
        paths: Keras' numeric paths to compare with: "eager", "graph", "xla". XLA draws other dropout masks, so
            networks with dropout are compared in inference mode only on it. "fast" compares NumPy's fast tier with
            Keras' eager path; it shows no values between the layers, and networks it cannot run are left out.
        locate: where they differ, judge every layer alone and look for a convention that explains it; takes seconds.
        explain: who knows the conventions.
        fault: deprecated; see ``prepare``.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> report = compare(spec, x, y)
        >>> report.passed
        True
        >>> str(report).splitlines()[0]
        'AGREE: net (4,), NumPy and Keras, 44 tensors compared'
    """
    from keras_models import KerasModel

    prepare = former_fault(prepare, fault)
    dtypes = (dtype,) if isinstance(dtype, str) else tuple(dtype)
    paths = (paths,) if isinstance(paths, str) else tuple(paths)
    for name, several in (("dtype", dtypes), ("paths", paths)):
        if not several:
            raise ValueError(f"{name} is empty, so nothing would be compared; give at least one")
    function_or_none("prepare", prepare, "a NumPy model")
    report = ParityReport(spec=spec, seed=seed, sides=("NumPy", "Keras"))
    values = random_weights(spec, seed)
    for precision, path in itertools.product(dtypes, paths):
        if path == "xla" and any(map(_is_wrong_under_xla, spec.layers)):
            report.left_out.append(f"{precision} on the path xla: {_XLA_RESIZES_WRONGLY}")
            continue
        ours = NumpyModel(spec, seed + 1, precision, dropout_seed=seed, engine="fast" if path == FAST else "reference")
        if path == FAST and why_not_fast(ours.network):  # it would not even take weights
            continue
        ours.set_weights(values)
        if prepare is not None:
            report.prepared = prepare(ours) or report.prepared
        if path == FAST and why_not_fast(ours.network):
            continue
        theirs = KerasModel(spec, seed + 2, precision, dropout_seed=seed, path="eager" if path == FAST else path)
        copy_weights(ours, theirs)
        # What is wrong in the algorithm shows in the first precision: one search for the culprit is enough
        part = compare_models(ours, theirs, x, y, seed, loss, report.sides, locate and not report.culprits, explain)
        report.rows += [replace(row, path=path) for row in part.rows]
        report.uncertain += part.uncertain
        report.local += part.local
        report.explanations += [one for one in part.explanations if one not in report.explanations]
        report.slips += [one for one in part.slips if one not in report.slips]
    report.name_conventions_everywhere()
    return report


_XLA_RESIZES_WRONGLY = (
    "XLA resizes bilinearly in float32 alone, and to wrong values where a size is 3 (TensorFlow 2.21)"
)


def _is_wrong_under_xla(layer: LayerSpec) -> bool:
    return isinstance(layer, UpSampling2D) and layer.interpolation == "bilinear"
