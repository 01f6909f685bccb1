"""The options of every command, with an example of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.command_line import Parser


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> None:
        from importlib.metadata import version

        print(f"crosscheck {version('crosscheck')}")
        parser.exit()


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="crosscheck",
        description="One network, two backends - from-scratch NumPy and Keras - and proof that they agree.",
        epilog="example: crosscheck compare mlp cnn lenet",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="the version of this program")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, (text, example, groups) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, epilog=f"example: crosscheck {example}")
        if name == "grade":
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            command.description = f"{text}\n\nan assignment, say hw1.toml:\n\n{_ASSIGNMENT}"
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.add_argument("--quiet", action="store_true", help="no progress")
        for group in groups:
            group(command)
    return parser


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "models", nargs="*", default=["all"], help="names (crosscheck list), all (mlp cnn lenet), .toml files"
    )
    command.add_argument(
        "--zoo",
        default="courses",
        choices=["courses", "extended"],
        help="extended: all means also resnet8, inception_block, mobilenet_small and har_conv1d",
    )
    command.add_argument(
        "--data",
        help="digits (the default), mnist, fashion_mnist, iris, wine, breast_cancer, or a path (docs/own_data.md)",
    )
    command.add_argument("--limit", type=_positive, help="use only the first N training rows")
    command.add_argument("--seed", type=_at_least(0), default=0)
    command.add_argument("--threads", type=_positive, help="threads of each backend (default: all cores)")
    command.add_argument("--config", type=_path, help="a .toml file with values for these options")


def _training_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--epochs", type=_positive)
    command.add_argument("--batch-size", type=_positive)
    command.add_argument("--optimizer", help="by name, such as sgd (default: adam, or what a network's file says)")
    command.add_argument("--learning-rate", type=float, help="of the optimizer (default: its own)")
    command.add_argument("--loss", help="by name (default: cross-entropy, of values to predict mean_squared_error)")
    command.add_argument("--output", type=_path, default=Path("runs"), help="directory of the reports (default: runs)")


def _resume_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--resume", type=_path, metavar="DIRECTORY", help="go on with the run of this directory, to the same bits"
    )


def _compare_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seeds", type=_positive, default=1, help="train with this many seeds, for the spread")
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
    command.add_argument(
        "--phases",
        nargs="+",
        choices=["train", "gradients", "inference", "epoch"],
        help="of the table; all by default",
    )
    command.add_argument(
        "--peers", action="store_true", help="also PyTorch, onnxruntime, scikit-learn, Keras eager, textbooks"
    )
    command.add_argument("--python", help="of deployed: an interpreter that has this project and NumPy alone")
    command.add_argument("--data", default="mnist", help="where the batches come from: mnist, or random")
    command.add_argument("--seed", type=_at_least(0), default=0, help="of the random networks")
    command.add_argument("--threads", type=_positive, default=2, help="threads of each side (default: 2)")
    command.add_argument(
        "--blocks", type=_at_least(5), help="A B B A blocks of each comparison, at least 5 (default: 15; curves 5)"
    )
    command.add_argument(
        "--inference-batches", type=_positive, nargs="+", metavar="N", help="rows a prediction (default: 1 128 1000)"
    )
    command.add_argument(
        "--pairs", type=_positive, default=1, help="start all processes afresh so many times (default: 1; records: 5)"
    )
    command.add_argument(
        "--blas-core", default="auto", help="OPENBLAS_CORETYPE of NumPy's processes; auto, or none for NumPy's choice"
    )
    command.add_argument("--output", type=_path, default=Path("runs/speed.json"), help="file with every sample")
    command.add_argument("--record", type=_path, metavar="FILE", help="write the text there too, as Markdown")
    command.add_argument("--compare", type=_path, metavar="OLD", help="compare with the file of an earlier run")
    command.add_argument(
        "--fail-if", metavar="slower:RATIO", help="with --compare: exit 1 where a cell is slower by that"
    )


def _sweep_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("models", nargs="*", default=["all"], help="names, all (mlp cnn lenet), .toml files")
    command.add_argument(
        "--data", nargs="+", help="data sets, by name or path (default: what the networks' files name, or digits)"
    )
    command.add_argument("--backends", nargs="+", default=["numpy", "keras"], choices=["numpy", "keras"])
    command.add_argument("--seeds", type=_positive, default=3, help="seeds of each, from 0 (default: 3)")
    command.add_argument("--limit", type=_positive, help="use only the first N training rows")
    command.add_argument("--epochs", type=_positive, help="of each training (default: 5)")
    command.add_argument("--batch-size", type=_positive, help="default: 32")
    command.add_argument("--optimizer", help="by name (default: adam, or what a network's file says)")
    command.add_argument("--learning-rate", type=float, help="of the optimizer (default: its own)")
    command.add_argument("--loss", help="by name (default: cross-entropy, of values to predict mean_squared_error)")
    command.add_argument("--jobs", type=_positive, default=1, help="processes on this machine")
    command.add_argument("--dask", metavar="ADDRESS", help="tcp://host:port of a Dask scheduler whose workers do it")
    command.add_argument(
        "--directory", type=_path, default=Path("runs/sweep"), help="where finished cells and results.json are kept"
    )


def _endure_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "studies",
        nargs="*",
        default=["kills", "memory", "together"],
        help="kills, memory, together (the default), workers: worker processes killed, and parsers: files of a fuzzer",
    )
    command.add_argument("--kills", type=_positive, default=200, help="of trainings, or of workers (default: 200)")
    command.add_argument("--steps", type=_positive, default=20000, help="of the long training (default: 20000)")
    command.add_argument("--files", type=_positive, default=10000, help="for each parser (default: 10000)")
    command.add_argument("--together", type=_positive, default=8, help="trainings at once (default: 8)")
    command.add_argument("--seed", type=_at_least(0), default=0, help="of the moments, and of the fuzzer")
    command.add_argument("--record", type=_path, metavar="FILE", help="write the text there too, as Markdown")


def _reproduce_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "rows", nargs="*", default=["quick"], metavar="ROW", help="rows of the page, all, or quick (the default)"
    )
    command.add_argument(
        "--jobs", type=_positive, default=1, help="processes; with more than one, only the first seed's seconds count"
    )
    command.add_argument(
        "--directory", type=_path, default=Path("runs/reproduction"), help="where finished parts are kept"
    )
    command.add_argument("--record", action="store_true", help="write docs/reproduction.md, its record and pictures")


def _convert_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", type=_path, help="model.keras, model.h5 or model.npz")
    command.add_argument("target", type=_path, help="model.npz; or model.keras where the source is .npz")
    command.add_argument("--data", type=_path, help="an .npz or .npy file with inputs to compare on; drawn by default")
    command.add_argument("--seed", type=_at_least(0), default=0, help="of the inputs that are drawn")
    command.add_argument(
        "--input-shape",
        type=_input_shape,
        action="append",
        metavar="64,64,3",
        help="read a Keras model that leaves sizes open for this one; name=64,64,3 where it has several inputs",
    )


def _predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=_path, help="an .npz file written by convert or save_weights")
    command.add_argument("images", type=_path, help="an .npz file with inputs x, an .npy file, or a picture")
    command.add_argument("--limit", type=_positive, help="only the first N inputs")
    command.add_argument("--top", type=_positive, default=3, help="classes shown of each (default: 3)")
    command.add_argument(
        "--divide-by",
        type=_divisor,
        help="divide the inputs by this (default: for pictures what the network's Rescaling, inputs and statistics "
        "tell, else 255; arrays are taken as they are)",
    )
    command.add_argument(
        "--ground",
        choices=["white", "black"],
        help="what transparent pictures are laid on (default: white, or black where nothing would be seen)",
    )
    command.add_argument(
        "--output", type=_path, metavar="FILE", help="write the predictions: .npz, .npy, or a picture of an image"
    )


def _verify_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=_path, help="an .npz file written by convert")


_ASSIGNMENT = """  title = "Week 1"
  [[case]]
  name = "affine"
  make = "Affine(np.zeros((6, 5)), np.zeros(5))"  # from the names of the submission
  layer = { type = "Dense", units = 5 }           # or loss, optimizer, network
  input_shape = 6                                 # of one example
  points = 10"""


def _grade_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", type=_path, help="a .toml file with the cases (docs/teaching/index.md)")
    command.add_argument("submissions", type=_path, nargs="*", help="Python files to grade")
    command.add_argument("--hints", type=int, choices=(1, 2, 3), help="1 where, 2 also what, 3 also how it should be")
    command.add_argument("--secret", help="a text that the random inputs are drawn from (default: a new one)")
    command.add_argument("--output", type=_path, default=Path("runs/grade"), help="a folder for each submission")
    command.add_argument("--nbgrader", type=_path, metavar="FILE", help="write test cells for nbgrader, grade nothing")


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", help="a data set by name, or a path (docs/own_data.md)")
    command.add_argument("--picture", type=_path, metavar="FILE", help="write some images of each class there (.png)")


def _fault_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--fault", help="plant this fault in the NumPy side, to see it caught (see crosscheck list)")


def _fuzz_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--count", type=_positive, default=100, help="how many networks (default: 100)")
    command.add_argument("--seed", type=_at_least(0), default=0)
    command.add_argument("--output", type=_path, default=Path("runs/fuzz"), help="directory of the saved cases")
    command.add_argument(
        "--jobs", type=_positive, default=1, help="processes; with more than one, a crash ends one chunk only"
    )
    command.add_argument(
        "--conversions", action="store_true", help="instead: random Keras models converted to NumPy and back"
    )
    command.add_argument("--record", type=_path, metavar="FILE", help="with --conversions: write the result there too")


def _open_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "path", type=_path, nargs="?", default=Path("runs"), help="a page, a run, or a directory of runs"
    )


def _case_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("case", type=_path, help="a .json case written by fuzz")
    command.add_argument("--pytest", type=_path, metavar="FILE", help="write a pytest file, compare nothing")


def _selftest_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--only", nargs="+", metavar="NAME", help="run these faults, variants or probes only")


def _calibrate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--count", type=_positive, default=200, help="how many random networks (default: 200)")
    command.add_argument("--trainings", type=_positive, default=20, help="how many trained networks (default: 20)")
    command.add_argument("--seed", type=_at_least(0), default=0)
    command.add_argument("--output", type=_path, default=Path("runs/fuzz"), help="directory of finished parts")
    command.add_argument("--jobs", type=_positive, default=1, help="processes")
    command.add_argument("--record", type=_path, metavar="FILE", help="write the result there too, as Markdown")


def _divisor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not 0 < abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number other than 0, got {text}")
    return value


def _input_shape(text: str) -> tuple[str | None, tuple[int, ...]]:
    """(name or None, sizes) from "64,64,3" or "image=64,64,3"."""
    name, equals, sizes = text.rpartition("=")
    try:
        return name if equals else None, tuple(int(size) for size in sizes.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be sizes such as 64,64,3 or image=64,64,3, got {text!r}") from None


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("is empty; name a file or folder, . is this one")
    return Path(text)


def _at_least(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    return whole


_positive = _at_least(1)


_COMMANDS: dict[str, tuple[str, str, tuple[Callable[[argparse.ArgumentParser], None], ...]]] = {
    "compare": (
        "parity, accuracy and speed of each network (the main job)",
        "compare lenet --data mnist --seeds 3",
        (_model_options, _training_options, _compare_options, _fault_option),
    ),
    "parity": (
        "forward and backward agreement only, over several seeds",
        "parity cnn --seeds 5 --paths eager graph xla",
        (_model_options, _parity_options, _fault_option),
    ),
    "train": (
        "train both backends alike and compare accuracies",
        "train mlp --data fashion_mnist --epochs 5",
        (_model_options, _training_options, _resume_option),
    ),
    "sweep": (
        "networks x data x backends x seeds, accuracy and parity, kept and resumed",
        "sweep mlp cnn --data digits --seeds 5 --jobs 2",
        (_sweep_options,),
    ),
    "speed": (
        "NumPy beside TensorFlow, phase by phase, in interleaved processes",
        "speed lenet --phases train inference --threads 2",
        (_speed_options,),
    ),
    "reproduce": (
        "the courses' experiments on both backends, beside the published",
        "reproduce quick",
        (_reproduce_options,),
    ),
    "convert": (
        "a Keras model for NumPy alone, or back, with a certificate",
        "convert model.keras model.npz --data samples.npz",
        (_convert_options,),
    ),
    "verify": (
        "the certificate of a converted model repeated here, on NumPy alone",
        "verify model.npz",
        (_verify_options,),
    ),
    "grade": (
        "from-scratch code of students, judged by an assignment, with points and causes",
        "grade docs/teaching/1_affine/assignment.toml submission.py",
        (_grade_options,),
    ),
    "predict": (
        "classes, values or images a model gives for inputs, on NumPy alone",
        "predict model.npz digit.png --top 3",
        (_predict_options,),
    ),
    "fuzz": (
        "random networks compared on both backends",
        "fuzz -n 500 --seed 1 --jobs 2",
        (_fuzz_options, _fault_option),
    ),
    "replay": (
        "compare a case again that fuzz has saved",
        "replay runs/fuzz/case.json --pytest test_case.py",
        (_case_option,),
    ),
    "selftest": (
        "the judge judged: planted faults, right variants, each comparison",
        "selftest --only flipped-kernel",
        (_selftest_options,),
    ),
    "calibrate": (
        "how tight the derived bounds are, and the smallest fault they see",
        "calibrate -n 50 --trainings 5",
        (_calibrate_options,),
    ),
    "endure": (
        "trainings killed and resumed, long ones, many at once; readers fuzzed",
        "endure kills --kills 20",
        (_endure_options,),
    ),
    "data": (
        "what would be read from a file or folder: rows, classes, what was done to them",
        "data my_images --picture my_images.png",
        (_data_options,),
    ),
    "open": ("the newest report in the browser, or that of a directory", "open runs", (_open_options,)),
    "schema": ("the JSON schema of a network's file, for editors", "schema", ()),
    "list": ("what there is: networks, data sets, faults", "list --json", ()),
}
"""Every command: what it does, an example without the program's name, and its options."""
