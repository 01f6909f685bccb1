"""``crosscheck convert``: a Keras model for NumPy alone, or back, with a certificate of equality."""

from __future__ import annotations

import argparse
import json

from benchmarks.commands.common import AGREE, CANNOT_COMPARE, DIFFER, load_keras


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks.samples import load_array
    from bridge import conversion

    samples = None if options.data is None else load_array(options.data)
    load_keras()
    convert = conversion.to_keras if options.source.suffix == ".npz" else conversion.to_numpy
    certificate = convert(options.source, options.target, samples, options.seed)
    if options.json:
        print(json.dumps(certificate.to_dict(), indent=1))
    else:
        print(certificate)
        written = f"written: {options.target}, {options.target.stat().st_size:,} bytes" if certificate.passed else ""
        print(written or f"not written: {options.target}")
    if certificate.passed:
        return AGREE
    return DIFFER if certificate.failing else CANNOT_COMPARE
