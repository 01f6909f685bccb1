"""``crosscheck calibrate``: error/bound over random and trained networks; one beyond the bound is a finding."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import INTERRUPTED, exit_code, progress, write_record
from model_spec.verdict import combine, json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import calibration, console

    with progress(options) as show:
        result = calibration.run(options.count, options.seed, options.trainings, options.jobs, options.output, show)
    text = "\n".join(result.lines())
    console.show(json_text(result.to_dict()) if options.json else text)
    if options.record:
        command = f"crosscheck calibrate -n {options.count} --seed {options.seed} --trainings {options.trainings}"
        write_record(options.record, "How tight the bounds are", command, text)
    if result.interrupted:
        return INTERRUPTED
    return exit_code(combine([result.random.verdict, result.trained.verdict]))
