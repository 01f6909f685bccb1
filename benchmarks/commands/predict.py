"""``crosscheck predict``: what a model file says to inputs, on NumPy alone: classes, yes or no, values, or arrays."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.commands.common import AGREE

if TYPE_CHECKING:
    from benchmarks.predictions import Predictions
    from model_spec import ModelSpec


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    import core_numpy
    from benchmarks.predictions import interpret
    from benchmarks.samples import load_samples

    if options.output is not None and not options.output.parent.is_dir():
        raise ValueError(f"no folder {options.output.parent} to write {options.output.name} into; make it first")
    model = core_numpy.load(options.model)
    if model.spec.outputs is not None:
        raise ValueError(
            f"{options.model} gives {len(model.spec.outputs)} outputs, and this command shows one; "
            f"ask for them in Python: core_numpy.load({str(options.model)!r}).predict(x)"
        )
    samples = load_samples(options.images, model.spec, model.weights, options.divide_by, options.ground, options.limit)
    loss = None if model.compiled_as is None else model.loss
    predictions = interpret(model.spec, model.predict(samples.x), loss)
    notes = list(samples.notes)
    if options.output is not None:
        notes.append(_write(options.output, predictions, model.spec))
    if options.json:
        entry = predictions.to_dict(with_outputs=options.output is None)
        inputs = {"file": options.images.name, "count": len(samples.x), "divided_by": samples.divided_by}
        print(json.dumps({**entry, "inputs": inputs, "notes": notes}, allow_nan=False))
        return AGREE
    if notes:
        print(f"{options.images.name}: {'; '.join(notes)}")
    if predictions.kind != "classes" or not predictions.rule.startswith("softmax"):
        print(predictions.rule)
    if not len(samples.x):
        print("no inputs: the array has no rows")
    for line in predictions.lines(options.top):
        print(line)
    return AGREE


def _write(path: Path, predictions: Predictions, spec: ModelSpec) -> str:
    """Write what was predicted, whole or not at all; return what was done."""
    import numpy as np

    from benchmarks.pictures import picture_bytes
    from benchmarks.predictions import as_pixels
    from model_spec.whole_files import whole_file

    done = ""
    content = io.BytesIO()
    if path.suffix.lower() == ".npz":
        np.savez(content, **predictions.arrays())  # type: ignore[arg-type]
    elif path.suffix.lower() == ".npy":
        np.save(content, predictions.outputs)
    else:
        pixels, done = as_pixels(predictions, spec)
        content.write(picture_bytes(pixels, path.suffix))
        done = f" ({done})"
    with whole_file(path) as file:
        file.write(content.getvalue())
    return f"written: {path}{done}"
