"""What the numbers a network gives mean: classes, yes or no, values, or arrays, and how they are said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model_spec import ModelSpec
from model_spec.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss
from model_spec.outputs import final_activation

Array = np.ndarray

CLASSES, BINARY, LABELS, VALUES, CLASS_MAP, ARRAY = "classes", "binary", "labels", "values", "class map", "array"

_SHOWN = 20
"""Numbers of one input that are shown on one line."""


@dataclass(frozen=True)
class Predictions:
    """The outputs of a network, and what they mean.

    Attributes:
        kind: "classes" (one of several), "binary" (one of two, by one output), "labels" (each output yes or no),
            "values", "class map" (a class at each place) or "array" (values at each place).
        rule: the meaning in words.
        outputs: what the network gives, (examples, *output shape).
        classes: whole numbers, for classes, binary and class map (examples, ...), for labels 0 or 1 for each output.
        probabilities: of each class (examples, classes); of labels, of each being yes.
    """

    kind: str
    rule: str
    outputs: Array
    classes: Array | None = field(default=None)
    probabilities: Array | None = field(default=None)

    def to_dict(self, with_outputs: bool = True) -> dict[str, Any]:
        """Everything as plain lists, numbers and strings; the outputs themselves only where wanted."""
        found: dict[str, Any] = {"kind": self.kind, "rule": self.rule, "output_shape": list(self.outputs.shape[1:])}
        if with_outputs:
            for name, values in self.arrays().items():
                found[name] = values.tolist()
            if self.kind == VALUES:
                found["values"] = self.outputs.tolist()
        return found

    def arrays(self) -> dict[str, Array]:
        """What a file of them holds."""
        found = {"classes": self.classes, "probabilities": self.probabilities, "outputs": self.outputs}
        return {name: values for name, values in found.items() if values is not None}

    def lines(self, top: int) -> list[str]:
        """One line for each input; ``top`` classes of each."""
        return [f"{at}: {self._line(at, top)}" for at in range(len(self.outputs))]

    def _line(self, at: int, top: int) -> str:
        match self.kind:
            case "classes":
                return self._best(at, top)
            case "binary":
                return self._one_of_two(at)
            case "labels":
                return self._yes_or_no(at)
            case "values":
                return _shortened([f"{value:.6g}" for value in self.outputs[at].reshape(-1)])
        return self._summary(at)

    def _best(self, at: int, top: int) -> str:
        of_one = (self.outputs if self.probabilities is None else self.probabilities)[at]
        best = np.argsort(-of_one, kind="stable")[:top]
        return ", ".join(f"class {index} {of_one[index]:.4f}" for index in best)

    def _one_of_two(self, at: int) -> str:
        not_p, p = np.zeros(2) if self.probabilities is None else self.probabilities[at]
        label = 0 if self.classes is None else self.classes[at]
        return f"class {label}, p {p:.4f}, 1 - p {not_p:.4f}"

    def _yes_or_no(self, at: int) -> str:
        if self.probabilities is None:
            return ""
        return _shortened(
            [f"{number} {'yes' if p > 0.5 else 'no'} {p:.4f}" for number, p in enumerate(self.probabilities[at])]
        )

    def _summary(self, at: int) -> str:
        values = self.outputs[at]
        shape = " x ".join(str(size) for size in values.shape)
        if self.classes is not None:
            found, counts = np.unique(self.classes[at], return_counts=True)
            shares = [f"class {label} {count / counts.sum():.1%}" for label, count in zip(found, counts, strict=True)]
            return f"{shape}: {_shortened(shares)} of the places"
        return f"{shape}, from {values.min():.6g} to {values.max():.6g}, mean {values.mean():.6g}"


def _shortened(parts: list[str]) -> str:
    more = f", and {len(parts) - _SHOWN} more (--json or --output has all)" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + more


def interpret(spec: ModelSpec, outputs: Array, loss: Loss | None = None) -> Predictions:
    """Say what the outputs of a network mean.

    The function they went through last says it, and the loss where the file keeps the one the model was compiled with.

    Args:
        spec: the network.
        outputs: what it gives, (examples, *output shape).
        loss: what it was trained by, or None where that is not known.

    Raises:
        ValueError: some of the outputs are no numbers.
    """
    if not np.isfinite(outputs).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(outputs))[0])
        raise ValueError(
            f"the network gives {outputs[at]} for input {at[0]}: its values overflow; check the range of the inputs"
        )
    last, shape = final_activation(spec), outputs.shape[1:]
    if len(shape) != 1:
        return _of_places(last, outputs)
    units = shape[0]
    by_logits = last == "linear" and bool(getattr(loss, "from_logits", False))
    if by_logits and isinstance(loss, CategoricalCrossentropy) and units > 1:
        rule = "linear output, classes by the softmax of it: the model was compiled with cross-entropy from logits"
        return _classes(rule, outputs, _softmax(outputs))
    if by_logits and isinstance(loss, BinaryCrossentropy):
        rule = "by the sigmoid of it: the model was compiled with binary cross-entropy from logits"
        return _sigmoids(f"linear output, {rule}", outputs, _sigmoid(outputs))
    if last == "softmax" and units > 1:
        return _classes("softmax: classes with their probabilities", outputs, outputs)
    if last == "sigmoid":
        if isinstance(loss, CategoricalCrossentropy) and units > 1:
            rule = "sigmoid outputs trained by categorical cross-entropy: the class is the largest"
            return Predictions(CLASSES, rule, outputs, outputs.argmax(axis=1))
        return _sigmoids("sigmoid", outputs, outputs)
    if last == "softmax":
        return Predictions(VALUES, "softmax of one output: always 1, it says nothing", outputs)
    return Predictions(VALUES, f"{'no' if last == 'none' else last} output: values, not classes", outputs)


def _classes(rule: str, outputs: Array, probabilities: Array) -> Predictions:
    return Predictions(CLASSES, rule, outputs, probabilities.argmax(axis=1), probabilities)


def _sigmoids(rule: str, outputs: Array, p: Array) -> Predictions:
    if p.shape[1] == 1:
        # (n, 1) -> (n, 2)
        both = np.concatenate([1 - p, p], axis=1)
        return Predictions(BINARY, f"{rule}: class 1 where p > 0.5", outputs, (p[:, 0] > 0.5).astype(int), both)
    rule = f"{rule}: each output for itself, yes where p > 0.5"
    return Predictions(LABELS, rule, outputs, (p > 0.5).astype(int), p)


def _of_places(last: str, outputs: Array) -> Predictions:
    if last == "softmax" and outputs.shape[-1] > 1:
        return Predictions(CLASS_MAP, "softmax: a class at each place", outputs, outputs.argmax(axis=-1))
    return Predictions(ARRAY, f"{'no' if last == 'none' else last} output: values at each place", outputs)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _sigmoid(logits: Array) -> Array:
    # No power overflows: exp of what is not positive
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)


def as_pixels(predictions: Predictions, spec: ModelSpec) -> tuple[Array, str]:
    """The only output as whole numbers 0..255, (h, w) or (h, w, 3), and what was done.

    Raises:
        ValueError: more than one output, a shape that is no picture, or values that are no brightness.
    """
    outputs = predictions.outputs
    if len(outputs) != 1:
        raise ValueError(f"one picture holds one output, here are {len(outputs)}; take --limit 1 or write .npz")
    values = outputs[0].astype(np.float64)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if predictions.kind == CLASS_MAP or not (values.ndim == 2 or (values.ndim == 3 and values.shape[-1] == 3)):
        raise ValueError(f"outputs of shape {outputs.shape[1:]} ({predictions.kind}) are no picture; write .npz")
    done = "0..1 written as 0..255"
    if final_activation(spec) == "tanh":
        values, done = (values + 1) / 2, "tanh, -1..1, written as 0..255"
    if values.min() < -0.5 or values.max() > 1.5:
        raise ValueError(
            f"outputs from {values.min():.4g} to {values.max():.4g} are no brightness in 0..1; write an .npz file"
        )
    beyond = int(((values < 0) | (values > 1)).sum())
    done += f", {beyond} of {values.size} values cut off at 0 or 1" if beyond else ""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), done
