"""``crosscheck convert``: a Keras model for NumPy alone, or back, with a certificate of equality."""

from __future__ import annotations

import argparse

from benchmarks.commands.common import exit_code
from model_spec.verdict import json_text


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks.samples import load_array
    from bridge import conversion

    samples = None if options.data is None else load_array(options.data)
    certificate = conversion.convert(options.source, options.target, samples, options.seed)
    if options.json:
        print(json_text(certificate.to_dict()))
    else:
        print(certificate)
        written = f"written: {options.target}, {options.target.stat().st_size:,} bytes" if certificate.passed else ""
        print(written or f"not written: {options.target}")
    return exit_code(certificate.verdict)
