"""Correlated errors: the network run again and again with the rounding of every step drawn at random.

The variances of :class:`~bridge.judge.bounds.network.RoundingModel` take errors of different positions for independent
(equal values excepted, see ``repeats``). Where one number feeds a whole image - the gradient behind a global average,
the mean of BatchNormalization - its one error reaches every position, and a sum over the positions adds it up. How
much depends on the signs of all that is summed, which variances do not know; a run of the network does.

So, for the tensors whose difference is larger than the independent model explains, and for no others, the network is
run ``RUNS`` times in float64. Each step's output gets a random error of the variance this step adds by itself
(``AMPLIFIED`` from u to 2**-40, so that float64's own rounding is small beside it and everything stays linear), equal
values get equal errors, and the mean square of what comes out differently is the variance looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bridge.judge.layers import rule_of
from bridge.judge.rounding import Cotangent, LayerTrace, Mode, Rounding, SharingRule
from core_numpy.contract import Array
from core_numpy.layers.build import Step

RUNS = 16
AMPLIFIED = 2.0**-40
"""Unit roundoff of the runs; their variances are scaled back to the judged precision's."""

Start = Callable[[Array], tuple[float, Array]]
"""From the value the backward pass starts behind, one example a row: (the scalar that is pulled back, its gradient)."""


@dataclass(frozen=True)
class Drawn:
    """Draws errors for one tensor: equal values get equal errors, and opposite values opposite ones."""

    value: Array
    variance: Array
    modes: tuple[Mode, ...] = ()

    @cached_property
    def _groups(self) -> tuple[int, Array]:
        with np.errstate(over="ignore", under="ignore"):
            keys = np.abs(self.value).astype(np.float32)
        unique, ids = np.unique(keys, return_inverse=True)
        return len(unique), ids.reshape(self.value.shape)

    def draw(self, random: np.random.Generator) -> Array:
        """One error of every value."""
        count, ids = self._groups
        error = random.standard_normal(count)[ids] * np.where(self.value < 0, -1, 1) * np.sqrt(self.variance)
        for mode in self.modes:
            error = error + mode.pattern * (random.standard_normal(mode.variance.shape) * np.sqrt(mode.variance))
        return error


class Ensemble:
    """The perturbed forward runs of one network on one batch; everything is computed when first asked for."""

    def __init__(self, x: Array, steps: Sequence[Step], traces: Sequence[LayerTrace], rounding: Rounding) -> None:
        self.steps = steps
        self.traces = traces
        self.x = x
        self.scale = (rounding.unit_roundoff / AMPLIFIED) ** 2
        self.rounding = Rounding(AMPLIFIED)

    @cached_property
    def alone(self) -> list[LayerTrace]:
        """The traces with no error but what each step adds by itself."""
        traces = []
        for trace in self.traces:
            exact = trace.exact
            local = rule_of(trace.layer).forward(self.rounding, exact)
            traces.append(replace(exact, y_variance=np.broadcast_to(local, trace.y.shape)))
        return traces

    @cached_property
    def runs(self) -> list[list[tuple[Array, Any]]]:
        """Of every run and step: (perturbed output, cache)."""
        random = np.random.default_rng(0)
        drawn = [Drawn(trace.y, trace.y_variance, self._modes(trace)) for trace in self.alone]
        runs = []
        for _ in range(RUNS):
            values, passed = [self.x], []
            for step, trace, errors in zip(self.steps, self.traces, drawn, strict=True):
                x = step.read(values)
                y, cache = trace.layer.forward(trace.params, trace.state, x, trace.context)
                values.append(y if y is x else y + errors.draw(random))
                passed.append((values[-1], cache))
            runs.append(passed)
        return runs

    def _modes(self, trace: LayerTrace) -> tuple[Mode, ...]:
        rule = rule_of(trace.layer)
        return rule.forward_modes(self.rounding, trace) if isinstance(rule, SharingRule) else ()

    def forward(self, at: int) -> Array:
        """Variance of the output of step ``at``."""
        return self._variance([run[at][0] for run in self.runs], self.traces[at].y)

    def _variance(self, found: Sequence[Array], expected: Array) -> Array:
        return np.asarray(np.mean([np.square(value - expected) for value in found], axis=0) * self.scale)


class EnsembleBackward:
    """The perturbed backward runs from one cotangent.

    Args:
        ensemble: the forward runs.
        stop: number of steps in front of the place where the backward pass starts.
        start: gives the gradient there.
        variance: of the error ``start`` adds by itself, for the judged precision.
    """

    def __init__(self, ensemble: Ensemble, stop: int, start: Start, variance: Array) -> None:
        self.ensemble = ensemble
        self.stop = stop
        self.start = start
        self.variance = variance / ensemble.scale

    @cached_property
    def _reference(self) -> dict[str, Array]:
        traces = self.ensemble.traces
        caches = [t.layer.forward(t.params, t.state, t.x, t.context)[1] for t in traces[: self.stop]]
        return self._pull(traces[self.stop - 1].y, caches, None)

    @cached_property
    def _errors(self) -> dict[str, Drawn]:
        """What each step's backward adds by itself."""
        found, ensemble = self._reference, self.ensemble
        errors = {"start": Drawn(found[f"dy {self.stop}"], self.variance)}
        for at in range(self.stop):
            step, trace, dy = ensemble.steps[at], ensemble.alone[at], found[f"dy {at + 1}"]
            exact = Cotangent.given(dy)
            rule = rule_of(trace.layer)
            parts = tuple(found[f"dx {at} {number}"] for number in range(len(step.sources)))
            dx = parts if step.merges else parts[0]
            pulled = rule.backward(ensemble.rounding, trace, exact, dx)
            modes: tuple[Mode, ...] = ()
            if isinstance(rule, SharingRule):
                modes = rule.backward_modes(ensemble.rounding, trace, exact, parts[0])
            for number, (part, variance) in enumerate(zip(parts, step.parts(pulled.variance), strict=True)):
                errors[f"dx {at} {number}"] = Drawn(part, np.broadcast_to(variance, part.shape), modes)
            for name, own in pulled.parameter_variances.items():
                errors[f"{at} {name}"] = Drawn(found[f"{at} {name}"], own)
        return errors

    @cached_property
    def _found(self) -> list[dict[str, Array]]:
        random = np.random.default_rng(1)
        return [
            self._pull(run[self.stop - 1][0], [cache for _, cache in run[: self.stop]], random)
            for run in self.ensemble.runs
        ]

    def _pull(self, y: Array, caches: list[Any], random: np.random.Generator | None) -> dict[str, Array]:
        """One backward pass: {"loss", "dy 3": gradient of the output of step 2, "2 kernel": parameter gradient}."""
        value, dy = self.start(y)
        found: dict[str, Array] = {"loss": np.asarray(value)}

        def kept(name: str, gradient: Array) -> Array:
            found[name] = gradient if random is None else gradient + self._errors[name].draw(random)
            return found[name]

        if random is not None:
            dy = dy + self._errors["start"].draw(random)
        arrived: dict[int, Array] = {self.stop: dy}
        for at in range(self.stop - 1, -1, -1):
            step, trace = self.ensemble.steps[at], self.ensemble.traces[at]
            found[f"dy {at + 1}"] = arrived[at + 1]
            dx, gradients = trace.layer.backward(trace.params, caches[at], arrived[at + 1])
            for name, gradient in gradients.items():
                kept(f"{at} {name}", gradient)
            for number, (source, part) in enumerate(zip(step.sources, step.parts(dx), strict=True)):
                part = kept(f"dx {at} {number}", np.asarray(part))
                if source in arrived:
                    part = self._rounded(arrived[source] + part, random)
                arrived[source] = part
        found["dy 0"] = arrived[0]
        return found

    def _rounded(self, total: Array, random: np.random.Generator | None) -> Array:
        """The sum of what two readers of one tensor give it, with an error of its own in a perturbed run."""
        if random is None:
            return total
        unit = self.ensemble.rounding.unit
        return total + random.standard_normal(total.shape) * np.sqrt(unit) * total

    def variance_of(self, name: str) -> Array:
        """Variance of "loss" (carried part only), of "dy 3" or of "2 kernel"."""
        return self.ensemble._variance([found[name] for found in self._found], self._reference[name])
