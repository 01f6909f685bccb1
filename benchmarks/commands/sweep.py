"""``crosscheck sweep``: networks x data x backends x seeds, accuracy and parity, in cells that are kept and resumed."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import INTERRUPTED, OF_TRAINING, exit_code, progress
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, sweep
    from benchmarks.experiments import data_named

    training = {name: getattr(options, name) for name in OF_TRAINING}
    data, limit = options.data, options.limit
    if data is None:
        named, limit = data_named(options.models, None, limit)
        data = [named]
    cells = sweep.cells_of(options.models, data, options.backends, options.seeds, training, limit)
    with progress(options) as show:
        result = sweep.run(cells, options.directory, options.jobs, options.dask, show)
    if options.json:
        print(json_text(result.to_dict()))
    else:
        console.show(*result.parts(), f"results: {options.directory / 'results.json'}")
    if result.interrupted:
        return INTERRUPTED
    return exit_code(result.verdict)
