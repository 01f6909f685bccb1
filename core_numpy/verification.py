"""A certificate repeated where the model is used: the samples in its file, computed by this machine's NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core_numpy.contract import Array
from core_numpy.model import NumpyModel
from core_numpy.model_of_file import model_of
from model_spec import weight_files
from model_spec.several import row_of_outputs
from model_spec.verdict import Verdict, combine, plain

PREDICTION = "prediction of the folded network"
"""The certificate's name for what ``predict`` gives."""


class VerificationError(ValueError):
    """This machine computes something else than the certificate of a model says."""


@dataclass(frozen=True)
class Verification:
    """What repeating a certificate has found.

    Attributes:
        errors: largest error over bound of each tensor, at most 1 where it is rounding.
        samples: number of inputs.
        changed: why the weights are not the certified ones, or "".
    """

    errors: dict[str, float]
    samples: int
    changed: str = ""

    @property
    def passed(self) -> bool:
        """True where everything repeated agrees within rounding."""
        return self.verdict == Verdict.AGREE

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, or NOTHING COMPARED."""
        found = [Verdict.AGREE if error <= 1 else Verdict.DIFFER for error in self.errors.values()]
        return combine(found + [Verdict.DIFFER] * bool(self.changed))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, numbers and strings."""
        return {
            "verdict": self.verdict,
            "samples": self.samples,
            "numpy": np.__version__,
            "changed": self.changed,
            "error_over_bound": plain(self.errors),
        }

    def __str__(self) -> str:
        if self.changed:
            return f"{self.verdict}: {self.changed}"
        worst = max(self.errors, key=lambda name: self.errors[name])
        lines = [
            f"{self.verdict}: {len(self.errors)} outputs of the certificate repeated on {self.samples} of its samples, "
            f"by NumPy {np.__version__}",
            f"largest error/bound {self.errors[worst]:.3g} at {worst} (at most 1 is rounding)",
        ]
        lines += [f"  {name}: error/bound {error:.3g}" for name, error in self.errors.items() if not error <= 1]
        return "\n".join(lines)


def verify(path: str | Path) -> Verification:
    """Repeat the certificate of a converted model on this machine, without TensorFlow.

    The file keeps a few of the inputs both sides were compared on, with what Keras predicted, and how far rounding may
    carry another implementation from it; and for every layer, in front of its activation and behind it, the sum of all
    its values with random signs, which any value that is wrong changes. The hash of every array is compared, too: that
    costs too much for every load.

    Args:
        path: an ``.npz`` file of ``crosscheck convert``.

    Raises:
        WeightFileError: the file is missing, damaged, or has no certificate that could be repeated.
    """
    try:
        file = weight_files.read(path, samples=True)
    except weight_files.CertificateError as error:
        return Verification({}, 0, str(error))
    wrong = weight_files.changed(file)
    if wrong:
        return Verification({}, 0, f"{path} holds other weights than were written: {', '.join(wrong)} differ")
    return repeat(model_of(file, path), file, path)


def repeat(model: NumpyModel, file: weight_files.WeightFile, path: str | Path) -> Verification:
    """What the model gives for the samples of the file it was read from, beside what they were certified with."""
    kept, certificate = file.samples, file.meta.get("certificate")
    if not isinstance(certificate, dict) or "x" not in kept:
        raise weight_files.WeightFileError(
            f"{path} has no certificate that could be repeated; convert the Keras model again with crosscheck convert"
        )
    try:
        outputs = model.activations(kept["x"], preactivations=True)
        errors = {}
        for name, of_samples in zip(certificate["repeated"], kept["sums"], strict=True):
            found = np.array([signed_sum(example) for example in outputs[name]])
            errors[name] = _largest(found, of_samples[:, 0], of_samples[:, 1])
        prediction = row_of_outputs(model.predict(kept["x"]), model.spec)
        errors[PREDICTION] = _largest(prediction, kept["outputs"], kept["output_bounds"])
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise weight_files.WeightFileError(f"{path} has a certificate that cannot be repeated: {error}") from None
    return Verification(errors, len(kept["x"]))


def signs(count: int) -> Array:
    """Random signs that are the same everywhere: the top bit of the places' numbers times 2**32 / golden ratio."""
    return np.where(np.arange(count, dtype=np.uint32) * np.uint32(2654435769) >> 31, 1.0, -1.0)


def signed_sum(values: Array) -> float:
    """The sum of all values with random signs, in float64: one number that no wrong value leaves as it is."""
    flat = values.reshape(-1)
    return float(np.dot(flat.astype(np.float64), signs(len(flat))))


def _largest(found: Array, expected: Array, bounds: Array) -> float:
    """Largest difference over its bound; what is not a number is beyond any.

    Raises:
        ValueError: a bound that anything would keep, or nothing.
    """
    if not (np.isfinite(bounds) & (bounds > 0)).all():
        raise ValueError("its bounds must be finite and above 0; convert the model again with crosscheck convert")
    difference = np.abs(found.astype(np.float64) - expected)
    ratio = np.where(np.isnan(difference), np.inf, difference / bounds)
    return float(ratio.max(initial=0))


def refuse_if_different(found: Verification, path: str | Path) -> None:
    """Raise where a verification has not passed.

    Raises:
        VerificationError: with everything that differs.
    """
    if not found.passed:
        raise VerificationError(f"{path} was not loaded, for its certificate does not hold on this machine\n{found}")
