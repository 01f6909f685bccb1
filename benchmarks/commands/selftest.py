"""``crosscheck selftest``: the judge judged: every fault caught and placed, each comparison needed."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import AGREE, DIFFER, progress
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console
    from bridge import selftest as judging

    with progress(options) as show:
        report = judging.run(show, options.only)
    console.show(json_text(report.to_dict()) if options.json else report)
    return AGREE if report.passed else DIFFER
