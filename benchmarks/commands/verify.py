"""``crosscheck verify``: the certificate of a converted model repeated on this machine, by NumPy alone."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import exit_code
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    import core_numpy

    found = core_numpy.verify(options.model)
    print(json_text(found.to_dict()) if options.json else found)
    return exit_code(found.verdict)
