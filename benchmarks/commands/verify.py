"""``crosscheck verify``: the certificate of a converted model repeated on this machine, by NumPy alone."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    import core_numpy

    found = core_numpy.verify(options.model)
    print(json.dumps(found.to_dict(), indent=1, allow_nan=False) if options.json else found)
    return AGREE if found.passed else DIFFER
