"""``crosscheck train``: train both backends from the same weights on the same batches; writes result.json."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from benchmarks.commands.common import AGREE, DIFFER, prepare, progress_lines, run_directory

if TYPE_CHECKING:
    from benchmarks.accuracy import AccuracyComparison


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import compare as job
    from benchmarks import console
    from benchmarks.accuracy import blas_threads, train_both
    from core_numpy.whole_files import write_whole

    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    training = job.default_training(data, options.epochs, options.batch_size, options.seed)
    threads = prepare(options)
    results = []
    for spec in specs:
        with blas_threads(threads):
            results.append(train_both(spec, training, data.train, data.test, options.seed, progress_lines(options)))
        console.end_of_progress()
        directory = run_directory(options.output, f"{spec.name}-training")
        write_whole(directory / "result.json", json.dumps(_entry(results[-1], options, threads), indent=1))
        if not options.json:
            print(f"{spec.name} on {data.name}, {len(data.train[0])} training rows")
            print("\n".join([*console.accuracy_lines(results[-1]), f"result: {directory / 'result.json'}"]), flush=True)
    if options.json:
        print(json.dumps([result.to_dict() for result in results], indent=1))
    return AGREE if all(result.agrees for result in results) else DIFFER


def _entry(result: AccuracyComparison, options: argparse.Namespace, threads: int) -> dict[str, Any]:
    from benchmarks import environment
    from model_spec import to_dict

    configuration = {"data": options.data, "limit": options.limit, "seed": options.seed, "threads": threads}
    return {
        "spec": to_dict(result.spec),
        "training": to_dict(result.training),
        "configuration": configuration,
        "accuracy": result.to_dict(),
        "environment": environment.describe(),
    }
