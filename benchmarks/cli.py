"""The command ``crosscheck``: parses the line, runs one handler, and turns the result into an exit code.

Exit codes: 0 the backends agree, 1 they were compared and differ, 2 they could not be compared, 130 interrupted.
Heavy imports stand inside the handlers: ``crosscheck --help`` loads neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

AGREE, DIFFER, CANNOT_COMPARE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return CANNOT_COMPARE
    try:
        options = _with_configuration(parser, options, arguments)
        return int(options.handler(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError) as error:
        print(f"crosscheck: {error}", file=sys.stderr)
        return CANNOT_COMPARE


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="crosscheck",
        description="One network, two backends - from-scratch NumPy and Keras - and proof that they agree.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add(
        commands,
        "compare",
        compare,
        "parity, accuracy and speed of each network (the main job)",
        _model_options,
        _training_options,
        _fault_option,
    )
    _add(
        commands,
        "parity",
        parity,
        "forward and backward agreement only, over several seeds",
        _model_options,
        _parity_options,
        _fault_option,
    )
    _add(
        commands, "train", train, "train both backends alike and compare accuracies", _model_options, _training_options
    )
    _add(commands, "list", show_lists, "what there is: networks, data sets, faults")
    return parser


def _add(commands: Any, name: str, handler: Callable[..., int], text: str, *groups: Callable[..., None]) -> None:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(handler=handler)
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.add_argument("--quiet", action="store_true", help="no progress")
    for group in groups:
        group(command)


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "models", nargs="*", default=["all"], help="names (crosscheck list), all (mlp cnn lenet), .toml files"
    )
    command.add_argument("--data", default="digits", help="digits, mnist, fashion_mnist, or the path of a .npz file")
    command.add_argument("--limit", type=_positive, help="use only the first N training rows")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=_positive, help="threads of each backend (default: all cores)")
    command.add_argument("--config", type=Path, help="a .toml file with values for these options")


def _training_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch-size", type=int)
    command.add_argument("--output", type=Path, default=Path("runs"), help="directory of the reports (default: runs)")


def _parity_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seeds", type=_positive, default=1, help="compare with this many seeds")
    command.add_argument("--rows", type=_positive, default=32, help="size of the compared batch")
    command.add_argument(
        "--paths", nargs="+", default=["eager"], choices=["eager", "graph", "xla"], help="Keras' numeric paths"
    )
    command.add_argument("--steps", type=_positive, help="compare whole trainings of N steps, with every optimizer")


def _fault_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--fault", help="plant this fault in the NumPy side, to see it caught (see crosscheck list)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _with_configuration(
    parser: argparse.ArgumentParser, options: argparse.Namespace, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Options again, with those of ``--config`` as defaults: what stands on the line wins."""
    path = getattr(options, "config", None)
    if path is None:
        return options
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --config the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    known = {name for name in vars(options) if name not in {"handler", "command", "config"}}
    values = {name.replace("-", "_"): value for name, value in values.items()}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{path}: unknown option {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if "output" in values:
        values["output"] = Path(values["output"])
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    commands.choices[options.command].set_defaults(**values)
    return parser.parse_args(arguments)


def _prepare(options: argparse.Namespace) -> int:
    """Set the number of threads of both backends before they start; return it."""
    threads = int(options.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
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
            spec, data, training, seed=options.seed, threads=threads, fault=options.fault, show=_tell(options)
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
            with job.blas_threads(threads):
                reports.append(bridge.compare(spec, x, y, seed=seed, fault=options.fault, paths=options.paths))
            console.end_of_progress()
            if not options.json:
                print(f"seed {seed}: {reports[-1]}\n", flush=True)
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
    from benchmarks.accuracy import train_both

    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    training = job.default_training(data, options.epochs, options.batch_size, options.seed)
    threads = _prepare(options)
    results = []
    for spec in specs:
        with job.blas_threads(threads):
            results.append(train_both(spec, training, data.train, data.test, options.seed, _tell(options)))
        console.end_of_progress()
        if not options.json:
            print(f"{spec.name} on {data.name}, {len(data.train[0])} training rows")
            print("\n".join(console.accuracy_lines(results[-1])), flush=True)
    if options.json:
        print(json.dumps([result.to_dict() for result in results], indent=1))
    return AGREE if all(result.agrees for result in results) else DIFFER


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
            print(f"  {name:<32}{text}".rstrip())
    return AGREE
