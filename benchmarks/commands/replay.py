"""``crosscheck replay``: compare one saved case again, or write it as a pytest file."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console
    from bridge.saved_cases import SavedCase
    from model_spec.whole_files import write_whole

    saved, arrays = SavedCase.load(options.case)
    if options.pytest:
        write_whole(options.pytest, saved.as_pytest())
        print(f"written: {options.pytest}")
        return AGREE
    with console.without_import_chatter():
        import keras_models  # noqa: F401
    report, finding = saved.replay(arrays)
    if options.json:
        error = None if finding is None else finding.error
        print(json.dumps({"error": error} if report is None else report.to_dict(), indent=1))
    else:
        print(finding.error if report is None and finding is not None else report)
    return DIFFER if finding is not None else AGREE
