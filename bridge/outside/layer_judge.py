"""Judges one foreign layer in one precision: what it gave, tensor by tensor, and what it failed to give."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bridge.judge.bounds import Expected, RoundingModel
from bridge.judge.tensor import Place, judge
from bridge.outside.adapters import AdaptedLayer
from bridge.outside.constant_factor import constant_factor
from bridge.outside.external_variables import ForeignLayerError
from bridge.outside.layer_report import Broken, KerasBeside, LayerReport
from bridge.weights import random_weights
from core_numpy.network import Network, Params
from model_spec import Dropout, ModelSpec
from model_spec.shapes import Shape

Array = np.ndarray

_SHARE_DEVIATIONS = 6.0
"""Standard deviations of a binomial share beyond which a dropout mask cannot have come from the rate."""


@dataclass(frozen=True)
class _KeptUnits:
    """The mask a foreign Dropout was seen to drop by."""

    kept: Array

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        return self.kept[start : start + shape[0]]


@dataclass(frozen=True)
class LayerInputs:
    """What the layer is fed: values that float32 can hold, so that every precision gets the same ones."""

    x: Array
    cotangent: Array
    weights: dict[str, Array]

    @classmethod
    def draw(cls, spec: ModelSpec, batch: int, seed: int) -> LayerInputs:
        """Random inputs, cotangent and variables for one layer."""
        random = np.random.default_rng([seed, 2])

        def normal(shape: Shape) -> Array:
            return random.standard_normal((batch, *shape)).astype(np.float32).astype(np.float64)

        # Neither mean 0 nor deviation 1: a normalization that does nothing would pass
        x = (normal(spec.input_shape) * 1.5 + 0.5).astype(np.float32).astype(np.float64)
        weights = {name.rpartition("/")[2]: value for name, value in random_weights(spec, seed).items()}
        return cls(x, normal(spec.output_shape), weights)


@dataclass
class LayerJudge:
    """One foreign layer under judgement; ``averaged`` is the batch size its gradients were divided by, or 0."""

    spec: ModelSpec
    layer: AdaptedLayer
    report: LayerReport
    training: bool
    with_backward: bool
    averaged: int
    batch: int = 0

    def run(self, given: LayerInputs, dtype: str, with_keras: bool) -> None:
        """Feed the layer in one precision and judge all it gives."""
        self.layer.set_weights(given.weights, dtype, self.training)
        x = given.x.astype(dtype)
        self.batch = len(x)
        y = self._attempt("y", dtype, lambda: self.layer.forward(x, self.training), self.spec.output_shape, len(x))
        if y is None:
            return
        judged = dtype
        if y.dtype != dtype:
            self.report.notes.append(f"fed {dtype}, the layer answers in {y.dtype}")
            if y.dtype.itemsize < np.dtype(dtype).itemsize:
                judged = "float32"
        model = self._model(given, judged, y)
        place = Place(judged, self.report.mode, "eager", "forward")
        expected = {"y": model.forward()[str(self.spec.layers[0].name)]}
        self._judge("y", y, expected["y"], place)
        if self.with_backward:
            expected |= self._backward(given, model, dtype, replace(place, stage="pullback"))
        if with_keras:
            self._beside(given, judged, expected)

    def _model(self, given: LayerInputs, dtype: str, y: Array) -> RoundingModel:
        """The float64 layer with the bound of its rounding."""
        layer = self.spec.layers[0]
        name, states = str(layer.name), layer.state_shapes(self.spec.input_shape)
        params: Params = {name: {key: value for key, value in given.weights.items() if key not in states}}
        state: Params = {name: {key: value for key, value in given.weights.items() if key in states}}
        masks = None
        if isinstance(layer, Dropout) and self.training:
            kept = (y != 0) | (given.x == 0)
            share, deviation = 1 - float(kept.mean()), np.sqrt(layer.rate * (1 - layer.rate) / kept.size)
            if abs(share - layer.rate) > _SHARE_DEVIATIONS * deviation:
                message = f"{share:.3g} of {kept.size} values were dropped, the rate is {layer.rate:g}"
                self.report.broken.append(Broken("dropout mask", dtype, message))
            masks = _KeptUnits(kept)
        source = None if masks is None else (lambda index: masks)
        return RoundingModel(Network.of(self.spec), params, state, dtype, given.x, self.training, source)

    def _backward(self, given: LayerInputs, model: RoundingModel, dtype: str, place: Place) -> dict[str, Expected]:
        """Judge the gradients; what they should be is returned."""
        pulled = model.pullback(given.cotangent)
        expected = {f"gradient of {name.rpartition('/')[2]}": value for name, value in pulled.parameters.items()}
        inputs = {} if pulled.inputs is None else {"gradient of x": pulled.inputs}
        self.layer.clear_gradients()
        cotangent = given.cotangent.astype(dtype)
        examples = len(cotangent)
        dx = self._attempt(
            "gradient of x", place.dtype, lambda: self.layer.backward(cotangent), self.spec.input_shape, examples
        )
        if dx is None and self.report.broken[-1].raised:
            return expected | inputs
        for tensor, wanted in expected.items():
            name = tensor.rpartition(" ")[2]
            shape = self.layer.parameter_shapes[name]
            found = self._attempt(tensor, place.dtype, partial(self.layer.gradient, name), shape)
            if found is None:
                continue
            if self.averaged:
                found = found.astype(np.float64) * self.averaged
                # Dividing rounds, and so does multiplying again
                rounding = 2 * model.rounding.unit * np.square(wanted.value)
                wanted = replace(wanted, variance=wanted.variance + rounding)
            self._judge(tensor, found, wanted, place)
        if dx is not None and pulled.inputs is not None:
            self._judge("gradient of x", dx, pulled.inputs, place)
        return expected | inputs

    def _attempt(
        self, tensor: str, dtype: str, compute: Callable[[], Array], shape: Shape, examples: int | None = None
    ) -> Array | None:
        """The array the layer computes, or None after reporting why there is none of this shape."""
        try:
            value = compute()
            value.astype(np.float64)
        except ForeignLayerError as error:
            self.report.broken.append(Broken(tensor, dtype, str(error)))
            return None
        except Exception as error:  # whatever a foreign layer raises is a finding
            self.report.broken.append(Broken(tensor, dtype, _message(error), raised=True))
            return None
        wanted = shape if examples is None else (examples, *shape)
        if value.shape == wanted:
            return value
        self.report.broken.append(Broken(tensor, dtype, f"has shape {value.shape} (channels last), expected {wanted}"))
        return None

    def _judge(self, tensor: str, found: Array, expected: Expected, place: Place) -> None:
        row = judge(found, expected.value, expected, place, tensor, str(self.spec.layers[0].name))
        self.report.rows.append(row)
        factor = None if row.agrees else constant_factor(found, expected, place, self.batch)
        if factor is not None and not any(one.startswith(f"{tensor} is ") for one in self.report.explanations):
            self.report.explanations.append(f"{tensor} is {factor}")

    def _beside(self, given: LayerInputs, dtype: str, expected: dict[str, Expected]) -> None:
        """Real Keras on the same numbers, held against the same truth."""
        if isinstance(self.spec.layers[0], Dropout) and self.training:
            return  # it would drop other units
        from keras_models import KerasModel

        name = str(self.spec.layers[0].name)
        keras = KerasModel(self.spec, dtype=dtype)
        keras.set_weights({f"{name}/{variable}": value for variable, value in given.weights.items()})
        x = given.x.astype(dtype)
        found = {"y": keras.activations(x, training=self.training)[name]}
        if len(expected) > 1:
            gradients = keras.pullback(x, given.cotangent.astype(dtype), training=self.training)
            found["gradient of x"] = gradients.inputs
            for full, value in gradients.parameters.items():
                found[f"gradient of {full.rpartition('/')[2]}"] = value
        for row in self.report.rows:
            if row.dtype == dtype and row.tensor in found:
                wanted = expected[row.tensor]
                place = Place(row.dtype, row.mode, row.path, row.stage)
                own = judge(found[row.tensor], wanted.value, wanted, place, row.tensor, row.layer)
                value = float(np.asarray(found[row.tensor])[row.index])
                self.report.keras[row.dtype, row.tensor] = KerasBeside(own.error_over_bound, value)


def _message(error: Exception) -> str:
    """What was raised and where in the layer, without the path of its file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"raised {type(error).__name__} in {last.name}, line {last.lineno}: {error}"
