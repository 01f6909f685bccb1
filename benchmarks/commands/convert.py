"""``crosscheck convert``: a Keras model for NumPy alone, or back, with a certificate of equality."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, DIFFER, load_keras


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks.samples import load_samples
    from bridge import conversion

    load_keras()
    samples = None if options.data is None else load_samples(options.data)
    certificate = conversion.convert(options.source, options.target, samples, options.seed)
    if options.json:
        print(json.dumps(certificate.to_dict(), indent=1))
    else:
        print(certificate)
        written = f"written: {options.target}, {options.target.stat().st_size:,} bytes"
        print(written if certificate.passed else f"not written: {options.target}")
    return AGREE if certificate.passed else DIFFER
