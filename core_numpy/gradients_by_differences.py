"""Gradients judged against central differences: is the backward pass the derivative of the forward pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer
from core_numpy.model import NumpyModel
from model_spec import ModelSpec
from model_spec.layers import LayerSpec
from model_spec.verdict import ShownInShort

Tensors = dict[str, Array]

TOLERANCE = 1e-6
"""Relative error that still agrees. Central differences at STEP are good to about 1e-8; a wrong term costs 1e-2."""

STEP = 1e-5
"""Rounding grows as 1e-16 / STEP and the cut-off Taylor series as STEP**2; at 1e-5 both are near 1e-10."""

_FINER = 16  # a kink that a finer step no longer meets is no kink of this point


@dataclass(frozen=True)
class GradientRow:
    """The worst finding of one tensor.

    Attributes:
        tensor: "x" or the parameter's name.
        where: "random direction", or the index of a coordinate such as "[0, 2]".
        computed: what the backward pass says.
        measured: the central difference.
        error: their difference relative to the gradient's size.
        verdict: "agrees", "differs", or "kink": not differentiable here, so that differences cannot judge it.
    """

    tensor: str
    where: str
    computed: float
    measured: float
    error: float
    verdict: str


@dataclass(frozen=True, repr=False)
class GradientReport(ShownInShort):
    """One row a tensor.

    Examples:
        >>> import numpy as np
        >>> from core_numpy import gradient_check
        >>> from model_spec import Dense
        >>> report = gradient_check(Dense(3), np.ones((2, 4)))
        >>> [row.tensor for row in report.rows]
        ['x', 'dense/kernel', 'dense/bias']
    """

    rows: tuple[GradientRow, ...]

    @property
    def passed(self) -> bool:
        """True where no tensor differs (a kink is no failure)."""
        return all(row.verdict != "differs" for row in self.rows)

    def __str__(self) -> str:
        width = max(len(row.tensor) for row in self.rows)
        lines = [
            f"{row.tensor:<{width}}  {row.verdict:<7}  error {row.error:.1e} at {row.where} "
            f"(computed {row.computed:.6g}, measured {row.measured:.6g})"
            for row in self.rows
        ]
        kinks = [row.tensor for row in self.rows if row.verdict == "kink"]
        if not self.passed:
            lines.append("gradients differ")
        elif kinks:
            lines.append(f"gradients agree, but {', '.join(kinks)} met a kink: try other inputs and random biases")
        else:
            lines.append("gradients agree")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Problem:
    """A scalar function of named tensors, and its gradients as the backward pass computes them."""

    tensors: Tensors
    value: Callable[[Tensors], float]
    gradients: Tensors

    @cached_property
    def center(self) -> float:
        """The function at the point itself."""
        return self.value(self.tensors)

    def along(self, name: str, direction: Array) -> Callable[[float], float]:
        """The function on a straight line through the point, changing one tensor."""
        return lambda t: self.value({**self.tensors, name: self.tensors[name] + t * direction})


def gradient_check(
    model_or_layer: NumpyModel | Layer | LayerSpec,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    training: bool = False,
    dropout_call: int = 0,
    seed: int = 0,
    coordinates: int = 4,
    tolerance: float = TOLERANCE,
) -> GradientReport:
    """Check every gradient in float64 against central differences; nothing it is given is changed.

    Each tensor is judged along one random direction (which sees every entry at once) and at a few coordinates (which
    say where): the one with the largest gradient and random ones.

    Args:
        model_or_layer: a float64 :class:`NumpyModel`; or a from-scratch layer or a layer of ``model_spec``, which gets
            random parameters from ``seed``.
        x: inputs (examples, *input shape).
        y: targets; the function is then the model's loss. None: a random weighting of the output.
        loss: as for ``loss_and_gradients``.
        training: training or inference mode.
        dropout_call: which call of the dropout stream gives the masks.
        seed: of directions, coordinates and weighting.
        coordinates: coordinates to look at in each tensor.
        tolerance: largest relative error that agrees.

    Raises:
        ValueError: a float32 model, targets for a layer, or an object that is none of the three.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense
        >>> gradient_check(Dense(3), np.ones((2, 4))).passed
        True
    """
    random = np.random.default_rng(seed)
    x = np.array(x, dtype=np.float64)
    if isinstance(model_or_layer, (Layer, LayerSpec)):
        if y is not None:
            raise ValueError("a layer has no loss: leave y out, or give a NumpyModel that ends in an output")
        if isinstance(model_or_layer, Layer):
            problem = _of_layer(model_or_layer, x, training, random)
        else:
            model = NumpyModel(ModelSpec("layer", x.shape[1:], (model_or_layer,)), seed=seed, dtype="float64")
            model.set_weights(_random_variables(model.weights, random))
            problem = _of_model(model, x, None, None, training, dropout_call, random)
    elif isinstance(model_or_layer, NumpyModel):
        if model_or_layer.dtype != "float64":
            raise ValueError(
                f"differences need float64, got a {model_or_layer.dtype} model; build it with dtype='float64'"
            )
        problem = _of_model(model_or_layer, x, y, loss, training, dropout_call, random)
    else:
        raise ValueError(
            f"expected a NumpyModel, a from-scratch layer or a layer of model_spec, got {type(model_or_layer).__name__}"
        )
    return GradientReport(tuple(_worst(problem, name, random, coordinates, tolerance) for name in problem.gradients))


def _random_variables(variables: Tensors, random: np.random.Generator) -> Tensors:
    """Random values for every variable, variances positive: zeros and ones would hide a missing factor."""
    return {
        name: random.uniform(0.5, 1.5, value.shape) if name.endswith("variance") else random.normal(size=value.shape)
        for name, value in variables.items()
    }


def _of_layer(layer: Layer, x: Array, training: bool, random: np.random.Generator) -> _Problem:
    params, state = layer.build(x.shape[1:], lambda purpose: 0, np.dtype("float64"))
    params, state = _random_variables(params, random), _random_variables(state, random)

    def forward(tensors: Tensors) -> tuple[Array, Any]:
        own = {name: value for name, value in tensors.items() if name != "x"}
        return layer.forward(own, state, tensors["x"], Context(training, _SameMask(x.shape)))

    y, cache = forward({"x": x, **params})
    cotangent = random.normal(size=y.shape)
    dx, grads = layer.backward(params, cache, cotangent)
    return _Problem(
        {"x": x, **params},
        lambda tensors: float((cotangent * forward(tensors)[0]).sum()),
        {"x": np.asarray(dx), **grads},
    )


@dataclass(frozen=True)
class _SameMask:
    """The same mask at every call, so that a layer with masks is one function."""

    shape: tuple[int, ...]

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        return np.random.default_rng(start).random(shape) >= rate


def _of_model(
    model: NumpyModel,
    x: Array,
    y: Any,
    loss: Any,
    training: bool,
    dropout_call: int,
    random: np.random.Generator,
) -> _Problem:
    cotangent = random.normal(size=(len(x), *model.spec.output_shape)) if y is None else None

    def moved(tensors: Tensors) -> NumpyModel:
        # A shallow copy with dictionaries of its own: the caller's model keeps its weights.
        other = copy.copy(model)
        other.params = {layer: dict(own) for layer, own in model.params.items()}
        for name, value in tensors.items():
            layer, _, variable = name.partition("/")
            if variable:
                other.params[layer] = {**other.params[layer], variable: value}
        return other

    def value(tensors: Tensors) -> float:
        other = moved(tensors)
        if cotangent is not None:
            output = list(other.activations(tensors["x"], training, dropout_call).values())[-1]
            return float((cotangent * output).sum())
        return float(other.loss_and_gradients(tensors["x"], y, loss, training, dropout_call).loss or 0.0)

    if cotangent is None:
        found = model.loss_and_gradients(x, y, loss, training, dropout_call)
    else:
        found = model.pullback(x, cotangent, training, dropout_call)
    weights = model.weights
    tensors = {"x": x, **{name: weights[name] for name in found.parameters}}
    return _Problem(tensors, value, {"x": found.inputs, **found.parameters})


def _worst(problem: _Problem, name: str, random: np.random.Generator, count: int, tolerance: float) -> GradientRow:
    """The worst of all directions of one tensor: one that differs before a kink before one that agrees."""
    gradient = problem.gradients[name]
    if gradient.shape != problem.tensors[name].shape:
        raise ValueError(f"the gradient of {name} has shape {gradient.shape}, expected {problem.tensors[name].shape}")
    rows = [
        _judge(problem, name, where, direction, tolerance) for where, direction in _directions(gradient, random, count)
    ]
    severity = {"agrees": 0, "kink": 1, "differs": 2}
    return max(rows, key=lambda row: (severity[row.verdict], row.error))


def _directions(gradient: Array, random: np.random.Generator, count: int) -> Iterator[tuple[str, Array]]:
    yield "random direction", random.normal(size=gradient.shape)
    chosen = {int(np.abs(gradient).argmax()), *random.permutation(gradient.size)[:count].tolist()}
    for flat in sorted(chosen):
        index = np.unravel_index(flat, gradient.shape)
        direction = np.zeros(gradient.shape)
        direction[index] = 1.0
        yield str([int(i) for i in index]), direction


def _judge(problem: _Problem, name: str, where: str, direction: Array, tolerance: float) -> GradientRow:
    gradient = problem.gradients[name]
    computed = float((gradient * direction).sum())
    line = problem.along(name, direction)
    # The size a directional derivative typically has, so that one that cancels to nearly 0 is not held to 1e-6 of it.
    typical = float(np.sqrt(np.square(gradient).mean()) * np.sqrt(np.square(direction).sum()))
    verdict = "kink"
    for step in (STEP, STEP / _FINER):
        coarse = _slopes(line, problem.center, step)
        measured = coarse.central
        # Values of size |f| carry rounding errors of a few eps * |f| each, which the division by the step enlarges.
        rounding = 100 * np.finfo(np.float64).eps * (1 + abs(problem.center)) / step
        scale = max(abs(measured), abs(computed), typical) + rounding / tolerance
        error = abs(measured - computed) / scale
        if error <= tolerance:
            verdict = "agrees"
            break
        # Where the function is smooth, the one-sided slopes close in on each other as the step shrinks and the central
        # ones do not move; at a kink the former stay apart, and near one the latter move.
        fine = _slopes(line, problem.center, step / 2)
        stays_apart = fine.gap > max(0.75 * coarse.gap, tolerance * scale)
        moves = abs(fine.central - coarse.central) > tolerance * scale
        if not (stays_apart or moves):
            verdict = "differs"
            break
    return GradientRow(name, where, computed, measured, float(error), verdict)


@dataclass(frozen=True)
class _Slopes:
    """Difference quotients at one point with one step."""

    left: float
    right: float

    @property
    def central(self) -> float:
        return (self.left + self.right) / 2

    @property
    def gap(self) -> float:
        return abs(self.right - self.left)


def _slopes(line: Callable[[float], float], center: float, step: float) -> _Slopes:
    return _Slopes((center - line(-step)) / step, (line(step) - center) / step)
