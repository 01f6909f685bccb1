"""``crosscheck train``: train both backends from the same weights on the same batches."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER, prepare, progress_lines


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import compare as job
    from benchmarks import console
    from benchmarks.accuracy import blas_threads, train_both

    data = job.load_data(options.data, options.limit)
    specs = job.find_models(options.models, data)
    training = job.default_training(data, options.epochs, options.batch_size, options.seed)
    threads = prepare(options)
    results = []
    for spec in specs:
        with blas_threads(threads):
            results.append(train_both(spec, training, data.train, data.test, options.seed, progress_lines(options)))
        console.end_of_progress()
        if not options.json:
            print(f"{spec.name} on {data.name}, {len(data.train[0])} training rows")
            print("\n".join(console.accuracy_lines(results[-1])), flush=True)
    if options.json:
        print(json.dumps([result.to_dict() for result in results], indent=1))
    return AGREE if all(result.agrees for result in results) else DIFFER
