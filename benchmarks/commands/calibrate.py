"""``crosscheck calibrate``: error/bound over random and trained networks; one beyond the bound is a finding."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER, INTERRUPTED, load_keras, progress, write_record


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import calibration, console

    load_keras()
    with progress(options) as show:
        result = calibration.run(options.count, options.seed, options.trainings, options.jobs, options.output, show)
    text = "\n".join(result.lines())
    console.show(json.dumps(result.to_dict(), indent=1) if options.json else text)
    if options.record:
        command = f"crosscheck calibrate -n {options.count} --seed {options.seed} --trainings {options.trainings}"
        write_record(options.record, "How tight the bounds are", command, text)
    if result.interrupted:
        return INTERRUPTED
    return AGREE if result.random.verdict == result.trained.verdict == "AGREE" else DIFFER
