"""What each command of ``crosscheck`` does; every handler takes the parsed options and returns the exit code."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

AGREE, DIFFER = 0, 1


def _prepare(options: argparse.Namespace) -> int:
    """Set the number of threads of both backends before they start; return it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = int(options.threads or usable or 1)
    from benchmarks.console import without_import_chatter

    with without_import_chatter():
        import keras_models
    keras_models.set_threads(threads)
    return threads


def _tell(options: argparse.Namespace) -> Callable[[str], None] | None:
    from benchmarks.console import progress

    return None if options.quiet else progress


def compare(options: argparse.Namespace) -> int:
    """The main job for each network; writes runs/<name>/report.json and report.html."""
    from benchmarks import compare as job
    from benchmarks import console
    from bridge.faults import find

    if options.fault:
        find(options.fault)
    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    training = job.default_training(data, options.epochs, options.batch_size, options.seed)
    threads = _prepare(options)
    results = []
    for spec in specs:
        result = job.run(
            spec,
            data,
            training,
            seed=options.seed,
            threads=threads,
            fault=options.fault,
            drift_steps=options.drift,
            show=_tell(options),
        )
        console.end_of_progress()
        job.save(result, options.output / spec.name)
        results.append(result)
        if not options.json:
            print(console.comparison_text(result), flush=True)
            print(f"report: {options.output / spec.name / 'report.html'}\n", flush=True)
    if options.json:
        print(json.dumps([result.to_dict() for result in results], indent=1))
    else:
        names = ", ".join(result.spec.name for result in results)
        differing = [result.spec.name for result in results if not result.agrees]
        print(f"DIFFER: {', '.join(differing)}" if differing else f"AGREE: {names} on {data.name}")
    return AGREE if all(result.agrees for result in results) else DIFFER


def parity(options: argparse.Namespace) -> int:
    """Forward and backward agreement of each network, over several seeds."""
    import bridge
    from benchmarks import compare as job
    from benchmarks import console
    from benchmarks.accuracy import blas_threads

    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    threads = _prepare(options)
    if options.steps:
        return _training_parity(options, specs, data)
    x, y = (part[: options.rows] for part in data.train)
    reports = []
    for spec in specs:
        for seed in range(options.seed, options.seed + options.seeds):
            if not options.quiet:
                console.progress(f"{spec.name} {spec.input_shape}, seed {seed}")
            with blas_threads(threads):
                reports.append(bridge.compare(spec, x, y, seed=seed, fault=options.fault, paths=options.paths))
            console.end_of_progress()
            if not options.json:
                print(f"seed {seed}: {reports[-1]}\n", flush=True)
            if options.noise_floor and not options.json:
                with console.without_import_chatter():
                    floor = bridge.noise_floor(spec, x, y, seed)
                print(f"{floor}\n", flush=True)
    if options.json:
        print(json.dumps([report.to_dict() for report in reports], indent=1))
    else:
        print(_overall(reports))
    return AGREE if all(report.passed for report in reports) else DIFFER


def _training_parity(options: argparse.Namespace, specs: Sequence[Any], data: Any) -> int:
    """Every optimizer with its options, trained for some steps on both backends."""
    from benchmarks import console
    from benchmarks.optimizer_parity import as_text, check

    x, y = data.train
    rows = []
    for spec in specs:
        rows += check(spec, x, y, options.steps, options.seed, None if options.quiet else console.progress)
        console.end_of_progress()
    print(json.dumps([row.to_dict() for row in rows], indent=1) if options.json else as_text(rows))
    return AGREE if all(row.agrees for row in rows) else DIFFER


def _overall(reports: Sequence[Any]) -> str:
    """The worst figures over all networks and seeds."""
    rows = [row for report in reports for row in report.rows]
    double = [row for row in rows if row.dtype == "float64"]
    forward = max((row.error_over_scale for row in double if row.stage == "forward"), default=0.0)
    backward = max((row.error_over_scale for row in double if row.stage != "forward"), default=0.0)
    single = max((row.error_over_bound for row in rows if row.dtype == "float32"), default=0.0)
    word = "AGREE" if all(report.passed for report in reports) else "DIFFER"
    return (
        f"{word}: {len(reports)} comparisons, {len(rows)} tensors; float64 largest error/scale forward {forward:.2e}, "
        f"gradients {backward:.2e}; float32 largest error/bound {single:.3f}"
    )


def train(options: argparse.Namespace) -> int:
    """Train both backends from the same weights on the same batches."""
    from benchmarks import compare as job
    from benchmarks import console
    from benchmarks.accuracy import blas_threads, train_both

    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    training = job.default_training(data, options.epochs, options.batch_size, options.seed)
    threads = _prepare(options)
    results = []
    for spec in specs:
        with blas_threads(threads):
            results.append(train_both(spec, training, data.train, data.test, options.seed, _tell(options)))
        console.end_of_progress()
        if not options.json:
            print(f"{spec.name} on {data.name}, {len(data.train[0])} training rows")
            print("\n".join(console.accuracy_lines(results[-1])), flush=True)
    if options.json:
        print(json.dumps([result.to_dict() for result in results], indent=1))
    return AGREE if all(result.agrees for result in results) else DIFFER


def speed(options: argparse.Namespace) -> int:
    """The speed table; with --compare, how each cell stands to an earlier run."""
    from benchmarks import console, environment, speed_table
    from benchmarks.arms import NETWORKS
    from core_numpy.whole_files import write_whole

    limit = speed_table.slowdown_limit(options.fail_if)
    earlier = None if options.compare is None else speed_table.load_earlier(options.compare)
    core = None if options.blas_core == "none" else options.blas_core
    table = speed_table.run(
        options.networks or list(NETWORKS),
        options.phases,
        options.threads,
        options.data,
        core,
        not options.no_textbook,
        options.blocks,
        _tell(options),
    )
    console.end_of_progress()
    write_whole(options.output, json.dumps(table.to_dict(), indent=1))
    changes = [] if earlier is None else speed_table.changes(table, earlier)
    text = "\n".join([*table.lines(), *(str(change) for change in changes)])
    print(json.dumps(table.to_dict(), indent=1) if options.json else text)
    if options.record:
        command = f"crosscheck speed {' '.join(options.networks)}".strip() + f" --threads {options.threads}"
        page = f"# Speed\n\n{environment.written_by(command)}\n\n```\n{text}\n```\n"
        write_whole(options.record, page)
    return DIFFER if any(change.ratio > limit for change in changes) else AGREE


def fuzz(options: argparse.Namespace) -> int:
    """Draw random networks and compare them; the smallest case of each kind of difference is saved for replay."""
    from benchmarks import console, fuzzing
    from benchmarks.cli import CANNOT_COMPARE, INTERRUPTED
    from bridge.faults import find

    if options.fault:
        find(options.fault)
    if options.jobs == 1:
        with console.without_import_chatter():
            import keras_models  # noqa: F401
    result = fuzzing.run(
        options.count,
        options.seed,
        options.jobs,
        options.fault,
        options.output,
        _tell(options),
        fuzzing.SHRINK_SECONDS,
    )
    console.end_of_progress()
    if options.fault and not result.summary.planted and result.summary.networks:
        raise ValueError(
            f"fault {options.fault!r} fits none of the {result.summary.networks} networks; "
            f"give --count more of them, or a fault of a layer or a loss (crosscheck list)"
        )
    if options.json:
        facts = {"seed": options.seed, "seconds": round(result.seconds, 1), "interrupted": result.interrupted}
        cases = {"cases": [str(path) for path in result.cases.values()], "errors": result.summary.failed}
        print(json.dumps({**result.summary.to_dict(), **facts, **cases}, indent=1))
    else:
        for kind, path in result.cases.items():
            print(f"{result.texts[kind]}\ncase: {path}\n")
        for error in result.summary.failed:
            print(f"could not be compared, {error}\n")
        print("\n".join(result.summary.lines()))
        asked = f"interrupted, {result.summary.networks} of {options.count} networks" if result.interrupted else "whole"
        print(f"{result.seconds:.0f} s, {asked}")
    if result.interrupted:
        return INTERRUPTED
    return {"AGREE": AGREE, "DIFFER": DIFFER}.get(result.summary.verdict, CANNOT_COMPARE)


def replay(options: argparse.Namespace) -> int:
    """Compare one saved case again, or write it as a pytest file."""
    from benchmarks import console
    from bridge.saved_cases import SavedCase
    from core_numpy.whole_files import write_whole

    saved, arrays = SavedCase.load(options.case)
    if options.pytest:
        write_whole(options.pytest, saved.as_pytest())
        print(f"written: {options.pytest}")
        return AGREE
    with console.without_import_chatter():
        import keras_models  # noqa: F401
    report, finding = saved.replay(arrays)
    if options.json:
        error = None if finding is None else finding.error
        print(json.dumps({"error": error} if report is None else report.to_dict(), indent=1))
    else:
        print(finding.error if report is None and finding is not None else report)
    return DIFFER if finding is not None else AGREE


def selftest(options: argparse.Namespace) -> int:
    """Judge the judge: every fault caught and placed, no right variant accused, every comparison needed."""
    from benchmarks import console

    with console.without_import_chatter():
        import keras_models  # noqa: F401
    from bridge import selftest as judging

    report = judging.run(_tell(options), options.only)
    console.end_of_progress()
    print(json.dumps(report.to_dict(), indent=1) if options.json else report)
    return AGREE if report.passed else DIFFER


def calibrate(options: argparse.Namespace) -> int:
    """Error/bound over random and trained networks; one beyond the bound is a finding."""
    from benchmarks import calibration, console, environment
    from benchmarks.cli import INTERRUPTED
    from core_numpy.whole_files import write_whole

    with console.without_import_chatter():
        import keras_models  # noqa: F401
    result = calibration.run(
        options.count, options.seed, options.trainings, options.jobs, options.output, _tell(options)
    )
    console.end_of_progress()
    text = "\n".join(result.lines())
    print(json.dumps(result.to_dict(), indent=1) if options.json else text)
    if options.record:
        command = f"crosscheck calibrate -n {options.count} --seed {options.seed} --trainings {options.trainings}"
        page = f"# How tight the bounds are\n\n{environment.written_by(command)}\n\n```\n{text}\n```\n"
        write_whole(options.record, page)
    if result.interrupted:
        return INTERRUPTED
    return AGREE if result.random.verdict == result.trained.verdict == "AGREE" else DIFFER


def show_lists(options: argparse.Namespace) -> int:
    """What there is to choose from."""
    from benchmarks import datasets
    from bridge.faults import FAULTS
    from model_spec import zoo

    lists = {
        "networks": {name: (build.__doc__ or "").splitlines()[0] for name, build in zoo.ZOO.items()},
        "data": {name: "" for name in datasets.DATASETS},
        "faults": {fault.name: f"{fault.description} ({fault.shows})" for fault in FAULTS.values()},
    }
    if options.json:
        print(json.dumps(lists, indent=1))
        return AGREE
    for title, entries in lists.items():
        print(title)
        for name, text in entries.items():
            print(f"  {name:<42}{text}".rstrip())
    return AGREE


HANDLERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "compare": compare,
    "parity": parity,
    "train": train,
    "speed": speed,
    "fuzz": fuzz,
    "replay": replay,
    "selftest": selftest,
    "calibrate": calibrate,
    "list": show_lists,
}
