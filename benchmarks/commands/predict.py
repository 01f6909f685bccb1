"""``crosscheck predict``: classes and probabilities of images by a model file, on NumPy alone."""

from __future__ import annotations

import argparse
import json

import numpy as np

from benchmarks.commands.common import AGREE
from model_spec import Rescaling


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    import core_numpy
    from benchmarks.samples import load_samples

    model = core_numpy.load(options.model)
    images = load_samples(options.images, model.spec.input_shape)
    divisor = options.divide_by
    if divisor is None:
        # A picture's numbers are 0 to 255; networks that do not scale them by themselves are trained on 0 to 1
        is_scaled = options.images.suffix == ".npz" or isinstance(model.spec.layers[0], Rescaling)
        divisor = 1 if is_scaled else 255
    outputs = model.predict(images[: options.limit] / divisor)
    if options.json:
        print(json.dumps({"classes": outputs.argmax(axis=-1).tolist(), "outputs": outputs.tolist()}))
        return AGREE
    for number, output in enumerate(outputs.reshape(len(outputs), -1)):
        best = np.argsort(-output, kind="stable")[: options.top]
        print(f"{number}: " + ", ".join(f"class {index} {output[index]:.4f}" for index in best))
    return AGREE
