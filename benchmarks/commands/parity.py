"""``crosscheck parity``: forward and backward agreement of each network, over several seeds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from benchmarks.commands.common import exit_code, load_data, prepare, progress
from model_spec.verdict import combine, json_text, largest


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    import bridge
    from benchmarks import console
    from benchmarks.accuracy import blas_threads
    from benchmarks.experiments import find_experiments

    data = load_data(options)
    specs = [found.spec for found in find_experiments(options.models, data, options.zoo == "extended")]
    threads = prepare(options)
    prepare_model = bridge.plant(options.fault) if options.fault else None
    loss = "mean_squared_error" if data.is_regression else None
    if options.steps and data.is_regression:
        raise ValueError(
            f"--steps trains classifiers, data set {data.name!r} is a regression; leave it out, or use compare --drift"
        )
    if options.steps:
        return _training_parity(options, specs, data)
    x, y = (part[: options.rows] for part in data.train)
    reports: list[Any] = []
    showing = progress(options)
    for spec in specs:
        for seed in range(options.seed, options.seed + options.seeds):
            with blas_threads(threads), showing as show:
                show(f"{spec.name} {spec.input_shape}, seed {seed}", len(reports), len(specs) * options.seeds)
                reports.append(
                    bridge.compare(spec, x, y, seed=seed, loss=loss, prepare=prepare_model, paths=options.paths)
                )
            if not options.json:
                console.show(f"seed {seed}: {reports[-1]}\n")
            if options.noise_floor and not options.json:
                console.show(f"{bridge.noise_floor(spec, x, y, seed)}\n")
    if options.json:
        print(json_text([report.to_dict() for report in reports]))
    else:
        console.show(_overall(reports))
    return exit_code(combine(report.verdict for report in reports))


def _training_parity(options: argparse.Namespace, specs: Sequence[Any], data: Any) -> int:
    """Every optimizer with its options, trained for some steps on both backends."""
    from benchmarks import console
    from benchmarks.optimizer_parity import check, parts

    x, y = data.train
    rows = []
    for spec in specs:
        with progress(options) as show:
            rows += check(spec, x, y, options.steps, options.seed, show)
    if options.json:
        print(json_text([row.to_dict() for row in rows]))
    else:
        console.show(*parts(rows))
    return exit_code(combine(row.verdict for row in rows))


def _overall(reports: Sequence[Any]) -> str:
    """The worst figures over all networks and seeds."""
    rows = [row for report in reports for row in report.rows]
    double = [row for row in rows if row.dtype == "float64"]
    forward = largest(row.error_over_scale for row in double if row.stage == "forward")
    backward = largest(row.error_over_scale for row in double if row.stage != "forward")
    single = largest(row.error_over_bound for row in rows if row.dtype == "float32")
    word = combine(report.verdict for report in reports)
    return (
        f"{word}: {len(reports)} comparisons, {len(rows)} tensors; float64 largest error/scale forward {forward:.2e}, "
        f"gradients {backward:.2e}; float32 largest error/bound {single:.3f}"
    )
