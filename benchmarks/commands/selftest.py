"""``crosscheck selftest``: the judge judged: every fault caught and placed, each comparison needed."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER, progress_lines


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console

    with console.without_import_chatter():
        import keras_models  # noqa: F401
    from bridge import selftest as judging

    report = judging.run(progress_lines(options), options.only)
    console.end_of_progress()
    print(json.dumps(report.to_dict(), indent=1) if options.json else report)
    return AGREE if report.passed else DIFFER
