"""The command ``crosscheck``: parses the line, runs one handler, and turns the result into an exit code.

Exit codes: 0 the backends agree, 1 they were compared and differ, 2 they could not be compared, 130 interrupted.
What a command does stands in ``benchmarks.commands``, one module each, loaded when it is run: ``crosscheck --help``
loads neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.commands.common import CANNOT_COMPARE, INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return CANNOT_COMPARE
    try:
        options = _with_configuration(parser, options, arguments)
        # As typed, for pages that say how they were written
        options.arguments = list(sys.argv[1:] if arguments is None else arguments)
        command = import_module(f"benchmarks.commands.{options.command}")
        return int(command.run(options))
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
        "parity, accuracy and speed of each network (the main job)",
        _model_options,
        _training_options,
        _drift_option,
        _fault_option,
    )
    _add(
        commands,
        "parity",
        "forward and backward agreement only, over several seeds",
        _model_options,
        _parity_options,
        _fault_option,
    )
    _add(commands, "train", "train both backends alike and compare accuracies", _model_options, _training_options)
    _add(commands, "speed", "NumPy beside TensorFlow, phase by phase, in interleaved processes", _speed_options)
    _add(commands, "reproduce", "the courses' experiments on both backends, beside the published", _reproduce_options)
    _add(commands, "convert", "a Keras model for NumPy alone, or back, with a certificate", _convert_options)
    _add(commands, "predict", "classes and probabilities of images, on NumPy alone", _predict_options)
    _add(commands, "fuzz", "random networks compared on both backends", _fuzz_options, _fault_option)
    _add(commands, "replay", "compare a case again that fuzz has saved", _case_option)
    _add(commands, "selftest", "the judge judged: planted faults, right variants, each comparison", _selftest_options)
    _add(commands, "calibrate", "how tight the derived bounds are, and the smallest fault they see", _calibrate_options)
    _add(commands, "list", "what there is: networks, data sets, faults")
    return parser


def _add(commands: Any, name: str, text: str, *groups: Callable[..., None]) -> None:
    command = commands.add_parser(name, help=text, description=text)
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


def _drift_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--drift",
        type=_positive,
        default=0,
        metavar="N",
        help="also train N steps in lock-step, beside Keras against itself",
    )


def _parity_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seeds", type=_positive, default=1, help="compare with this many seeds")
    command.add_argument("--rows", type=_positive, default=32, help="size of the compared batch")
    command.add_argument(
        "--paths",
        nargs="+",
        default=["eager"],
        choices=["eager", "graph", "xla", "fast"],
        help="Keras' numeric paths; fast is NumPy's fast tier against eager",
    )
    command.add_argument("--steps", type=_positive, help="compare whole trainings of N steps, with every optimizer")
    command.add_argument(
        "--noise-floor", action="store_true", help="show beside it how far Keras is from itself, with other kernels"
    )


def _speed_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("networks", nargs="*", help="networks of the study (crosscheck list); all by default")
    command.add_argument(
        "--study",
        default="table",
        choices=["table", "start", "deployed", "target", "scaling", "cliffs", "tricks", "proof"],
        help="the table; how each side starts; a converted model where it is used; time to a target "
        "accuracy; growth with size; random networks; what each trick of the fast tier buys; the benchmark judged",
    )
    command.add_argument("--phases", nargs="+", help="of the table: train gradients inference epoch; all by default")
    command.add_argument(
        "--peers", action="store_true", help="also PyTorch, onnxruntime, scikit-learn, Keras eager, textbooks"
    )
    command.add_argument("--python", help="of deployed: an interpreter that has this project and NumPy alone")
    command.add_argument("--data", default="mnist", help="where the batches come from: mnist, or random")
    command.add_argument("--seed", type=int, default=0, help="of the random networks")
    command.add_argument("--threads", type=_positive, default=2, help="threads of each side (default: 2)")
    command.add_argument("--blocks", type=_positive, help="A B B A blocks of each comparison (default: 15; curves 5)")
    command.add_argument(
        "--blas-core", default="auto", help="OPENBLAS_CORETYPE of NumPy's processes; auto, or none for NumPy's choice"
    )
    command.add_argument("--output", type=Path, default=Path("runs/speed.json"), help="file with every sample")
    command.add_argument("--record", type=Path, metavar="FILE", help="write the text there too, as Markdown")
    command.add_argument("--compare", type=Path, metavar="OLD", help="compare with the file of an earlier run")
    command.add_argument(
        "--fail-if", metavar="slower:RATIO", help="with --compare: exit 1 where a cell is slower by that"
    )


def _reproduce_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "rows", nargs="*", default=["quick"], metavar="ROW", help="rows of the page, all, or quick (the default)"
    )
    command.add_argument("--jobs", type=_positive, default=1, help="processes; with more than one no seconds count")
    command.add_argument(
        "--directory", type=Path, default=Path("runs/reproduction"), help="where finished parts are kept"
    )
    command.add_argument("--record", action="store_true", help="write docs/reproduction.md, its record and pictures")


def _convert_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", type=Path, help="model.keras, model.h5 or model.npz")
    command.add_argument("target", type=Path, help="model.npz; or model.keras where the source is .npz")
    command.add_argument("--data", type=Path, help="an .npz file with inputs to compare on; drawn by default")
    command.add_argument("--seed", type=int, default=0, help="of the inputs that are drawn")


def _predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=Path, help="an .npz file written by convert or save_weights")
    command.add_argument("images", type=Path, help="an .npz file with inputs x, or a picture")
    command.add_argument("--limit", type=_positive, help="only the first N inputs")
    command.add_argument("--top", type=_positive, default=3, help="classes shown of each (default: 3)")
    command.add_argument(
        "--divide-by", type=float, help="divide the inputs by this (default: 255 for pictures, 1 for .npz files)"
    )


def _fault_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--fault", help="plant this fault in the NumPy side, to see it caught (see crosscheck list)")


def _fuzz_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--count", type=_positive, default=100, help="how many networks (default: 100)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--output", type=Path, default=Path("runs/fuzz"), help="directory of the saved cases")
    command.add_argument(
        "--jobs", type=_positive, default=1, help="processes; with more than one, a crash ends one chunk only"
    )
    command.add_argument(
        "--conversions", action="store_true", help="instead: random Keras models converted to NumPy and back"
    )
    command.add_argument("--record", type=Path, metavar="FILE", help="with --conversions: write the result there too")


def _case_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("case", type=Path, help="a .json case written by fuzz")
    command.add_argument("--pytest", type=Path, metavar="FILE", help="write the case as a pytest file, compare nothing")


def _selftest_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", nargs="+", metavar="NAME", help="run these faults, variants or probes only")


def _calibrate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--count", type=_positive, default=200, help="how many random networks (default: 200)")
    command.add_argument("--trainings", type=_positive, default=20, help="how many trained networks (default: 20)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--output", type=Path, default=Path("runs/fuzz"), help="directory of finished parts")
    command.add_argument("--jobs", type=_positive, default=1, help="processes")
    command.add_argument("--record", type=Path, metavar="FILE", help="write the result there too, as Markdown")


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
    known = {name for name in vars(options) if name not in {"command", "config"}}
    values = {name.replace("-", "_"): value for name, value in values.items()}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{path}: unknown option {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if "output" in values:
        values["output"] = Path(values["output"])
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    commands.choices[options.command].set_defaults(**values)
    return parser.parse_args(arguments)
