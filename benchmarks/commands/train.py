"""``crosscheck train``: train both backends from the same weights on the same batches; writes result.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.commands.common import exit_code, load_data, prepare, progress, run_directory, training_of
from benchmarks.options import build_parser
from model_spec.names import printable, shown
from model_spec.verdict import combine, json_text

if TYPE_CHECKING:
    from benchmarks.trained import TrainedPair
    from model_spec import ModelSpec, TrainingSpec

_ASKED = "run.json"
"""In the directory of a run: all that ``--resume`` has to know."""


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console
    from benchmarks.experiments import find_experiments, is_run_on_values

    if options.resume is None:
        data = load_data(options)
        experiments = find_experiments(options.models, data, options.zoo == "extended")
        runs = [(experiment.spec, training_of(experiment, data, options), None) for experiment in experiments]
    else:
        spec, training = _take_up(options)
        runs = [(spec, training, options.resume)]
        data = load_data(options, is_run_on_values(spec, training))
    options.threads = prepare(options)
    results = []
    for spec, training, earlier in runs:
        directory = earlier or _begin(options, spec, training)
        try:
            results.append(_train(options, spec, training, data, directory))
        except KeyboardInterrupt:
            print(f"to go on: crosscheck train --resume {directory}", file=sys.stderr)
            raise
        if not options.json:
            console.show(
                f"{spec.name} on {printable(data.name)}, {len(data.train[0])} training rows",
                results[-1].table(),
                results[-1].word(),
                f"result: {directory / 'result.json'}",
            )
    if options.json:
        print(json_text([result.to_dict() for result in results]))
    return exit_code(combine(result.verdict for result in results))


def _begin(options: argparse.Namespace, spec: ModelSpec, training: TrainingSpec) -> Path:
    """A new directory with what was asked for."""
    directory = run_directory(options.output, f"{spec.name}-training")
    _write_asked(options, spec, training, directory)
    return directory


def _write_asked(options: argparse.Namespace, spec: ModelSpec, training: TrainingSpec, directory: Path) -> None:
    from model_spec import to_dict
    from model_spec.whole_files import write_whole

    asked = {"spec": to_dict(spec), "training": to_dict(training), "configuration": _configuration(options)}
    write_whole(directory / _ASKED, json_text(asked))


_BESIDE_RESUME = ("command", "resume", "epochs", "json", "quiet", "config")
"""Options that may stand beside ``--resume``; all others are those of the run that is taken up."""


def _take_up(options: argparse.Namespace) -> tuple[ModelSpec, TrainingSpec]:
    """What an earlier run was asked for; its data, seed and threads go into the options, and it may be made longer."""
    from model_spec import untrusted
    from model_spec.serialization import model_from_dict

    path = options.resume / _ASKED
    defaults = vars(build_parser().parse_args(["train"]))
    given = [name for name, value in defaults.items() if getattr(options, name) != value and name not in _BESIDE_RESUME]
    if given:
        words = [" ".join(options.models) if name == "models" else f"--{name.replace('_', '-')}" for name in given]
        raise ValueError(
            f"--resume takes network and options from {path}, and only --epochs may grow; leave out {', '.join(words)}"
        )
    try:
        asked = untrusted.parse_json(untrusted.read_bytes(path, untrusted.LARGEST_TEXT))
        found = model_from_dict(asked["spec"]), _training(asked["training"])
        vars(options).update(_configuration_of(asked["configuration"]))
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --resume the directory of an earlier crosscheck train") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not say what was asked for: {printable(str(error))}") from None
    spec, training = found
    if options.epochs is not None and options.epochs != training.epochs:
        if training.steps is not None or options.epochs < training.epochs:
            asked_length = f"{training.epochs} epochs" if training.steps is None else f"{training.steps} steps"
            raise ValueError(f"--epochs {options.epochs}: the run of {path} has {asked_length}; a run may only grow")
        training = training.replace(epochs=options.epochs)
        _write_asked(options, spec, training, options.resume)
    return spec, training


def _training(entry: Any) -> TrainingSpec:
    from model_spec import TrainingSpec
    from model_spec.serialization import from_dict

    training = from_dict(entry)
    if not isinstance(training, TrainingSpec):
        raise ValueError(f"training must be a TrainingSpec, got {shown(entry)}")
    return training


def _configuration_of(entry: Any) -> dict[str, Any]:
    """The options an earlier run had, held against what they can be."""
    from model_spec.validation import non_negative_integer, positive_integer

    if not isinstance(entry["data"], str):
        raise ValueError(f"data must be a name or path, got {shown(entry['data'])}")
    found = {"data": entry["data"], "seed": non_negative_integer("seed", entry["seed"])}
    for name in ("limit", "threads"):
        found[name] = None if entry[name] is None else positive_integer(name, entry[name])
    return found


def _train(
    options: argparse.Namespace, spec: ModelSpec, training: TrainingSpec, data: Any, directory: Path
) -> TrainedPair:
    from benchmarks import environment
    from benchmarks.accuracy import blas_threads, train_both
    from model_spec import to_dict
    from model_spec.whole_files import write_whole

    with blas_threads(options.threads), progress(options) as show:
        result = train_both(spec, training, data.train, data.test, options.seed, show, directory)
    entry = {
        "spec": to_dict(spec),
        "training": to_dict(training),
        "configuration": _configuration(options),
        "regression" if data.is_regression else "accuracy": result.to_dict(),
        "environment": environment.describe(),
    }
    write_whole(directory / "result.json", json_text(entry))
    return result


_CONFIGURATION = ("data", "limit", "seed", "threads")


def _configuration(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in _CONFIGURATION}
