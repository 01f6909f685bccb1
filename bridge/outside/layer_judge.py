"""Judges one foreign layer in one precision: what it gave, tensor by tensor, and what it failed to give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bridge.conventions.outcome import Given, close, distance
from bridge.judge.bounds import Expected, RoundingModel, channel_sums
from bridge.judge.tensor import VACUOUS, Place, judge
from bridge.outside.adapters import AdaptedLayer
from bridge.outside.any_choice import beyond_any_choice, of_any_algorithm
from bridge.outside.dropped_units import ALIKE, KeptUnits, drops_alike, kept_units, wrong_mask
from bridge.outside.edge_cases import LARGE, EdgeCase
from bridge.outside.exact_constants import OtherConstants
from bridge.outside.external_variables import ForeignLayerError
from bridge.outside.keras_beside import keras_beside
from bridge.outside.layer_explanation import Fed, causes_of
from bridge.outside.layer_inputs import LayerInputs
from bridge.outside.layer_overflow import finite_up_to
from bridge.outside.layer_report import Broken, LayerReport
from bridge.outside.raised import raised_in_words
from core_numpy.contract import Array
from core_numpy.network import Network
from model_spec import Dropout, ModelSpec
from model_spec.shapes import Shape
from model_spec.verdict import Verdict


@dataclass
class LayerJudge:
    """One foreign layer under judgement; ``averaged`` is the batch size its gradients were divided by, or 0."""

    spec: ModelSpec
    layer: AdaptedLayer
    report: LayerReport
    training: bool
    with_backward: bool
    averaged: int
    case: EdgeCase | None = None
    constants: OtherConstants | None = None

    def run(self, given: LayerInputs, dtype: str, with_keras: bool, before: LayerInputs | None = None) -> None:
        """Feed the layer in one precision and judge all it gives; ``before`` is fed to it first, for a second call."""
        self._found: dict[str, Array] = {}
        self._earlier: dict[str, Array] = {}
        self._first: Array | None = None
        self._last: Fed
        self.layer.set_weights(given.weights, dtype, self.training)
        x = given.x.astype(dtype)
        contiguous = self.case is None or self.case.contiguous
        first = None
        if before is not None:
            former = before.x.astype(dtype)
            first = self._attempt(
                "y", dtype, lambda: self.layer.forward(former, self.training), self.spec.output_shape, len(former)
            )
            if first is None:
                self._last = Fed(given, dtype, None, before)
                return
            if isinstance(self.spec.layers[0], Dropout):
                self._first = kept_units(self.spec.layers[0], former, first).kept
            if self._is_second_step:
                self.layer.backward(before.cotangent.astype(dtype))
                self._earlier = {name: self.layer.gradient(name) for name in self.layer.parameter_shapes}
            self.layer.set_weights(given.weights, dtype, self.training)  # moving statistics have moved
        states = self.spec.layers[0].state_shapes(self.spec.input_shape)
        held = {} if self.training or not states else self.layer.weights
        y = self._attempt(
            "y", dtype, lambda: self.layer.forward(x, self.training, contiguous), self.spec.output_shape, len(x)
        )
        self._last = Fed(given, dtype, None, before)
        if y is None:
            return
        for name in states:
            if name in held and not np.array_equal(held[name], self.layer.weights[name], equal_nan=True):
                self._broken(Broken(name, dtype, "a forward in inference mode moves it; only training may"))
        layer = self.spec.layers[0]
        if (
            self._first is not None
            and isinstance(layer, Dropout)
            and drops_alike(layer.rate, self._first, kept_units(layer, x, y).kept)
        ):
            self._broken(Broken("dropout mask", dtype, ALIKE))
        judged = dtype
        if y.dtype != dtype:
            note = f"fed {dtype}, the layer answers in {y.dtype}"
            if note not in self.report.notes:
                self.report.notes.append(note)
            if y.dtype.itemsize < np.dtype(dtype).itemsize:
                judged = "float32"
        model = self._model(given, judged, y)
        self._last = Fed(given, judged, model, before)
        place = Place(judged, self.report.mode, "eager", "forward")
        expected = {"y": of_any_algorithm(self.spec.layers[0], model.forward()[str(self.spec.layers[0].name)])}
        if self._overflows(y, expected["y"].value, dtype):
            return
        self._not_overwritten("x", dtype, "forward")
        self._judge("y", y, expected["y"], place)
        self._statistics(model, place)
        if self.with_backward:
            expected |= self._backward(given, model, dtype, replace(place, stage="pullback"), contiguous)
        self._judge_mask(given, y, judged)
        if with_keras:
            keras_beside(self.spec, self.report, self.training, given, judged, expected)

    def _overflows(self, found: Array, truth: Array, dtype: str) -> bool:
        """True, with a note, where a textbook form gives no number for an input that it cannot take."""
        if self.case is None or not self.case.only_values or np.isfinite(found).all() or not np.isfinite(truth).all():
            return False
        limit = finite_up_to(self.layer, self.spec.input_shape, self.with_backward, dtype)
        words = f"{dtype}: right up to about {limit:g}; beyond, at the latest at {LARGE:g}, it overflows to no number"
        self.report.notes.append(words)
        return True

    def _statistics(self, model: RoundingModel, place: Place) -> None:
        """Judge the moving statistics that a training step leaves."""
        layer = self.spec.layers[0]
        states = layer.state_shapes(self.spec.input_shape)
        if not self.training or not states:
            return
        held = self.layer.weights
        trace = model.traces[0]
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        wanted = trace.layer.next_state(trace.state, cache)
        for name in states:
            if name not in held:
                note = f"{name} was not judged: the layer has none"
                if note not in self.report.notes:
                    self.report.notes.append(note)
                continue
            largest = np.abs(trace.x).reshape(-1, trace.x.shape[-1]).max(axis=0)
            reached = np.square(largest) if name == "moving_variance" else largest
            size = np.maximum(np.abs(trace.state[name]), reached)
            variance = model.rounding.unit * np.square(size) * (4 + len(trace.x) / 3)
            expected = Expected(np.asarray(wanted[name]), variance, np.zeros_like(variance))
            if held[name].size != variance.size:
                words = f"has shape {held[name].shape}, expected {variance.shape}: one number a channel"
                self._broken(Broken(name, place.dtype, f"{words}, over the examples and all places"))
                continue
            self._judge(name, held[name].reshape(variance.shape), expected, place)

    def _model(self, given: LayerInputs, dtype: str, y: Array) -> RoundingModel:
        """The float64 layer with the bound of its rounding."""
        params, state, masks = self._parts(given, dtype, y)
        name = str(self.spec.layers[0].name)
        source = None if masks is None else (lambda index: masks)
        network, x = self._network, given.x
        return RoundingModel(network, {name: params}, {name: state}, dtype, x, self.training, source, by_moments=True)

    @property
    def _network(self) -> Network:
        return Network.of(self.spec) if self.constants is None else self.constants.network

    def _parts(
        self, given: LayerInputs, dtype: str, y: Array
    ) -> tuple[dict[str, Array], dict[str, Array], KeptUnits | None]:
        """Parameters, moving statistics, and the mask that was seen to be dropped by."""
        layer = self.spec.layers[0]
        params, state = given.divided(self.spec)
        if not isinstance(layer, Dropout) or not self.training:
            return params, state, None
        return params, state, kept_units(layer, given.x, y)

    def _judge_mask(self, given: LayerInputs, y: Array, dtype: str) -> None:
        """Judge what a Dropout drops; after backward, as a layer that cannot be copied then forgets what it dropped."""
        layer = self.spec.layers[0]
        if not isinstance(layer, Dropout) or not self.training:
            return
        again, kept = self.layer.on_copy(), kept_units(layer, given.x, y).kept
        wrong = wrong_mask(layer, kept, lambda ones: again.forward(ones, self.training), self.spec.input_shape, dtype)
        if wrong:
            self._broken(Broken("dropout mask", dtype, wrong))

    def _backward(
        self, given: LayerInputs, model: RoundingModel, dtype: str, place: Place, contiguous: bool
    ) -> dict[str, Expected]:
        """Judge the gradients; what they should be is returned."""
        pulled = model.pullback(given.cotangent)
        expected = {f"gradient of {name.rpartition('/')[2]}": value for name, value in pulled.parameters.items()}
        if pulled.inputs is not None:
            pulled.inputs = of_any_algorithm(self.spec.layers[0], pulled.inputs)
        inputs = {} if pulled.inputs is None else {"gradient of x": pulled.inputs}
        if not self._is_second_step:
            self.layer.clear_gradients()
        cotangent = given.cotangent.astype(dtype)
        examples = len(cotangent)
        dx = self._attempt(
            "gradient of x",
            place.dtype,
            lambda: self.layer.backward(cotangent, contiguous),
            self.spec.input_shape,
            examples,
        )
        if dx is None and self.report.broken and self.report.broken[-1].raised:
            if isinstance(self.spec.layers[0], Dropout) and not self.training:
                # Nothing is trained in inference, and refused aloud is no wrong answer
                raised = self.report.broken.pop().message
                note = f"only forward was judged in inference, where its backward {raised}"
                self.report.notes += [] if note in self.report.notes else [note]
            return expected | inputs
        self._not_overwritten("dy", dtype, "backward")
        for tensor, wanted in expected.items():
            name = tensor.rpartition(" ")[2]
            shape = self.layer.parameter_shapes[name]
            found = self._attempt(tensor, place.dtype, partial(self.layer.gradient, name), shape)
            if found is None:
                continue
            if self._piles_up(name, found, wanted.value):
                continue
            # Dividing rounds, and so does multiplying again; a step away from a parameter rounds with it
            rounded = 2 * np.square(wanted.value) * bool(self.averaged)
            if self.layer.calling.updates:
                rounded = rounded + 2 * (np.square(wanted.value) + np.square(given.weights[name]))
            if self.averaged:
                found = found.astype(np.float64) * self.averaged
            self._judge(tensor, found, replace(wanted, variance=wanted.variance + model.rounding.unit * rounded), place)
        if dx is not None and pulled.inputs is not None and not self._overflows(dx, pulled.inputs.value, dtype):
            self._judge("gradient of x", dx, pulled.inputs, place)
            self._keeps_its_mask(dx, pulled.inputs.value, place.dtype)
            for sums in pulled.conserved.values():
                self._sums(dx, sums, place)
            if self.case is not None:
                words = beyond_any_choice(self.spec.layers[0], given.x, given.cotangent, dx)
                if words is not None:
                    self._broken(Broken("gradient of x at a kink or tie", place.dtype, words))
        return expected | inputs

    @property
    def _is_second_step(self) -> bool:
        return self.with_backward and self.case is not None and self.case.second_step

    def _keeps_its_mask(self, dx: Array, wanted: Array, dtype: str) -> None:
        """Report a Dropout whose backward drops what an earlier forward dropped."""
        layer, first = self.spec.layers[0], self._first
        if not isinstance(layer, Dropout) or first is None or np.array_equal(dx != 0, wanted != 0):
            return
        if drops_alike(layer.rate, first, kept_units(layer, np.ones_like(dx), dx).kept):
            self._broken(
                Broken("gradient of x", dtype, "backward drops the units of an earlier forward: its mask stays")
            )
            self.report.searched = True  # the cause is said

    def _piles_up(self, name: str, found: Array, wanted: Array) -> bool:
        """Whether a gradient holds that of the step before as well: a fault, unless the layer means it."""
        earlier = self._earlier.get(name)
        if not self._is_second_step or earlier is None or found.shape != earlier.shape:
            return False
        added = found.astype(np.float64) - earlier
        if self.averaged:
            added = added * self.averaged
        if not close(added, wanted, 1e-4) or close(earlier, np.zeros_like(earlier), 0.0):
            return False
        if self.layer.accumulates:
            note = "its gradients add up from step to step until they are set to zero, by convention"
            self.report.notes += [] if note in self.report.notes else [note]
        else:
            words = "holds the gradient of the step before as well: it is added to (+=) and never set to zero"
            self._broken(Broken(f"gradient of {name}", found.dtype.name, words))
            self.report.searched = True  # the cause is said
        return True

    def _not_overwritten(self, name: str, dtype: str, method: str) -> None:
        """Report a layer that has written into what it was given: a fault of x, a note of dy."""
        if name not in self.layer.overwritten:
            return
        words = f"{method} writes into the {name} it is given, so the caller's array is changed"
        if name == "dy":
            # Books do so: in a chain of layers nobody reads dy again
            note = f"{words}: right in a chain of layers, wrong where a gradient goes two ways"
            self.report.notes += [] if note in self.report.notes else [note]
            return
        self._broken(Broken(name, dtype, f"{words}: work on a copy"))
        self.report.searched = True  # the cause is said

    def _sums(self, dx: Array, sums: Expected, place: Place) -> None:
        """Which cells of a tie get the gradient is free, how much they get is not."""
        row = judge(channel_sums(dx), sums.value, sums, place, "gradient of x", str(self.spec.layers[0].name))
        if not row.agrees and row.verdict != VACUOUS:
            row = replace(row, tensor=self._named("channel sums of gradient of x"))
            self.report.rows.append(row)

    def _named(self, tensor: str) -> str:
        return tensor if self.case is None else f"{tensor} on {self.case.name}"

    def _broken(self, broken: Broken) -> None:
        self.report.broken.append(replace(broken, tensor=self._named(broken.tensor)))

    def _attempt(
        self, tensor: str, dtype: str, compute: Callable[[], Array], shape: Shape, examples: int | None = None
    ) -> Array | None:
        """The array the layer computes, or None after reporting why there is none of this shape."""
        try:
            value = compute()
            self._found[tensor] = value.astype(np.float64)
        except ForeignLayerError as error:
            self._broken(Broken(tensor, dtype, str(error)))
            return None
        except Exception as error:  # whatever a foreign layer raises is a finding
            self._broken(Broken(tensor, dtype, raised_in_words(error), raised=True))
            return None
        wanted = shape if examples is None else (examples, *shape)
        if value.shape == wanted:
            return value
        self._broken(Broken(tensor, dtype, f"has shape {value.shape} (channels last), expected {wanted}"))
        return None

    def _judge(self, tensor: str, found: Array, expected: Expected, place: Place) -> None:
        row = judge(found, expected.value, expected, place, self._named(tensor), str(self.spec.layers[0].name))
        self._found[tensor] = np.asarray(found, np.float64)
        if self.case is None or not (row.agrees or row.verdict == VACUOUS):
            self.report.rows.append(row)

    def explain(self, right_on: LayerInputs | None = None) -> None:
        """Find what is wrong with what the last run gave, in the first precision in which something is.

        ``right_on`` are inputs on which the layer was right.
        """
        if self.report.verdict == Verdict.AGREE or self.report.searched or not self._found or self.report.hints < 2:
            return
        self.report.searched = True
        self.report.explanations += causes_of(self.spec, self.training, self._last, self._found, right_on)

    def tells(self, other: OtherConstants) -> bool:
        """True where the output shows by which constants the layer computes."""
        model = self._last.model
        if model is None:
            return False
        ours = Given(self._network, model.traces[0].params, model.traces[0].state, model.x, np.zeros(0), self.training)
        return distance(ours.last_output, replace(ours, network=other.network).last_output) > 1e-12
