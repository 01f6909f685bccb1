"""``crosscheck convert``: a Keras model for NumPy alone, or back, with a certificate of equality."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.commands.common import exit_code
from model_spec.verdict import json_text


def _shapes(given: list[tuple[str | None, tuple[int, ...]]] | None) -> Any:
    """What ``--input-shape`` says: None, one shape, or {name: shape}."""
    if not given:
        return None
    if len(given) == 1 and given[0][0] is None:
        return given[0][1]
    if any(name is None for name, _ in given):
        raise ValueError("--input-shape is given several times; name the inputs, such as --input-shape image=64,64,3")
    return dict(given)


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks.samples import load_inputs
    from bridge import conversion

    samples = None if options.data is None else load_inputs(options.data)
    certificate = conversion.convert(
        options.source, options.target, samples, options.seed, _shapes(options.input_shape)
    )
    if options.json:
        print(json_text(certificate.to_dict()))
    else:
        print(certificate)
        written = f"written: {options.target}, {options.target.stat().st_size:,} bytes" if certificate.passed else ""
        print(written or f"not written: {options.target}")
    return exit_code(certificate.verdict)
