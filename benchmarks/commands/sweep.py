"""``crosscheck sweep``: networks x data x backends x seeds, accuracy and parity, in cells that are kept and resumed."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, CANNOT_COMPARE, DIFFER, INTERRUPTED, load_keras, progress


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, sweep

    load_keras()
    training = {"optimizer": options.optimizer, "epochs": options.epochs, "batch_size": options.batch_size}
    cells = sweep.cells_of(options.models, options.data, options.backends, options.seeds, training, options.limit)
    with progress(options) as show:
        result = sweep.run(cells, options.directory, options.jobs, options.dask, show)
    if options.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        console.show(*result.parts(), f"results: {options.directory / 'results.json'}")
    if result.interrupted:
        return INTERRUPTED
    if result.failed:
        return CANNOT_COMPARE
    return AGREE if result.agrees else DIFFER
