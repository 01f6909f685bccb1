"""``crosscheck replay``: compare one saved case again, or write it as a pytest file."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import AGREE, exit_code
from model_spec.verdict import Verdict, json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from bridge import plant
    from bridge.fuzzing.saved_cases import SavedCase
    from model_spec.whole_files import write_whole

    saved, arrays = SavedCase.load(options.case)
    if options.pytest:
        write_whole(options.pytest, saved.as_pytest())
        print(f"written: {options.pytest}")
        return AGREE
    report, finding = saved.replay(arrays, plant(saved.fault) if saved.fault else None)
    # Dead parts of a network drawn at random are no finding; where nothing at all was compared, nothing was shown
    verdict = Verdict.NOTHING_COMPARED if report is not None and not any(row.agrees for row in report.rows) else None
    verdict = Verdict.DIFFER if finding is not None else verdict or Verdict.AGREE
    if options.json:
        error = None if finding is None else finding.error
        print(json_text({"error": error} if report is None else report.to_dict()))
    else:
        print(finding.error if report is None and finding is not None else report)
    return exit_code(verdict)
