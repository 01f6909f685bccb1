"""The stages of judging a layer: random points, inputs of the user's own, everyday and edge inputs, other sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bridge.outside.adapters import AdaptedLayer
from bridge.outside.edge_cases import LARGEST_EXAMPLE, EdgeCase, edge_cases, larger_images, other_sizes
from bridge.outside.exact_constants import OtherConstants, other_constants
from bridge.outside.layer_inputs import LayerInputs
from bridge.outside.layer_judge import LayerJudge
from bridge.outside.layer_report import Broken, LayerReport
from model_spec import ModelSpec
from model_spec.inputs import check_x
from model_spec.shapes import element_count
from model_spec.verdict import Verdict


@dataclass
class Stages:
    """One foreign layer on its way through the stages; each runs a fresh copy of it.

    Attributes:
        spec: the claim as a model of one layer.
        layer: the layer.
        report: what is found.
        training: the mode.
        with_backward: whether gradients are judged.
        averaged: whether the layer divides its parameter gradients by the batch size.
        precisions: what it is fed.
        seed: of what is drawn.
        constants: words for those that the layer was found to compute with, where they are not Keras'.
        right_on: random inputs on which it was right.
    """

    spec: ModelSpec
    layer: AdaptedLayer
    report: LayerReport
    training: bool
    with_backward: bool
    averaged: bool
    precisions: list[str]
    seed: int
    constants: str | None = None
    right_on: LayerInputs | None = None

    def random_points(self, given: LayerInputs, with_keras: bool) -> None:
        """Random inputs, variables and cotangent."""
        for dtype in self.precisions:
            self._feed(self.spec, None, given, dtype, with_keras)
        self.right_on = given if self.report.verdict == Verdict.AGREE else None
        self.report.tried.append(f"random points (seed {self.seed}, {len(given.x)} examples)")

    def own_inputs(self, x: Any, given: LayerInputs) -> None:
        """What the user gave."""
        values = check_x(x, self.spec.input_shape, "float64")
        values = values.astype(np.float32).astype(np.float64)
        drawn = LayerInputs.draw(self.spec, len(values), self.seed + 2)
        case = EdgeCase("your x")
        for dtype in self.precisions:
            own = LayerInputs(values, drawn.cotangent, given.weights)
            self._feed(self.spec, case, own, dtype)
        self.report.tried.append(f"your x ({len(values)} examples)")

    def edges(self, given: LayerInputs) -> None:
        """Everyday and edge inputs, as long as everything is right."""
        layer, shape = self.spec.layers[0], self.spec.input_shape
        if max(element_count(shape), element_count(self.spec.output_shape)) > LARGEST_EXAMPLE:
            note = f"edge inputs were left out: {element_count(shape)} values an example; check a smaller one besides"
            self.report.notes.append(note)
            return
        for case in edge_cases(layer, shape, self.training):
            if self.report.verdict != Verdict.AGREE:
                return
            self._run(case, given)
        larger = larger_images(layer, shape)
        if larger is None or self.report.verdict != Verdict.AGREE or not self._takes(larger, given):
            return
        for case in (larger, *other_sizes(layer, shape)):
            if self.report.verdict != Verdict.AGREE:
                return
            self._run(case, given)

    def _run(self, case: EdgeCase, given: LayerInputs) -> None:
        try:
            spec = replace(self.spec, input_shape=case.input_shape or self.spec.input_shape)
        except ValueError:
            return  # its windows do not fit
        inputs = given.in_case(case, spec, self.seed)
        before = None
        if case.second_call:
            former = EdgeCase(case.name, case.input_shape, case.batch_before)
            before = given.in_case(former, spec, self.seed + 1)
        rows, broken = len(self.report.rows), len(self.report.broken)
        with np.errstate(all="ignore"):
            for dtype in self.precisions:
                self._feed(spec, case, inputs, dtype, before=before)
        mine = self.report.broken[broken:]
        if mine and (reason := self._excused(case, mine)):
            del self.report.broken[broken:], self.report.rows[rows:]
            self.report.explanations.clear()
            self.report.searched = False
            self.report.notes.append(reason)
        else:
            self.report.tried.append(case.name)

    def _excused(self, case: EdgeCase, broken: list[Broken]) -> str | None:
        """Words for a note, where a failure is no wrong answer."""
        if case.may_raise and all(one.raised for one in broken):
            return f"not certified for {case.name}: it {broken[0].message}"
        if case.second_call and any("it returned a list of 2" in one.message for one in broken):
            return (
                "it keeps the inputs of all forwards and answers for all of them in one backward; "
                "clear them between steps, or give call= with a forward that does"
            )
        return None

    def _takes(self, case: EdgeCase, given: LayerInputs) -> bool:
        """True where the layer takes images of another size; a note where it does not."""
        try:
            spec = replace(self.spec, input_shape=case.input_shape or self.spec.input_shape)
        except ValueError:
            return False
        trial = self.layer.on_copy()
        try:
            with np.errstate(all="ignore"):
                trial.set_weights(given.weights, "float64", self.training)
                x = given.in_case(case, spec, self.seed).x
                if trial.forward(x, self.training).shape == (len(x), *spec.output_shape):
                    return True
        except Exception:  # a layer made for one size may raise anything
            pass
        self.report.notes.append(f"certified for {self.spec.input_shape} alone: the layer takes no other size")
        return False

    def _feed(
        self,
        spec: ModelSpec,
        case: EdgeCase | None,
        given: LayerInputs,
        dtype: str,
        with_keras: bool = False,
        before: LayerInputs | None = None,
    ) -> None:
        """Judge a fresh copy of the layer by Keras' constants; where they do not fit, by the same rounded otherwise."""
        others = {one.words: one for one in other_constants(spec)}
        claims = [others.get(self.constants or ""), *(one for one in others.values() if self.constants is None)]
        untouched, results = self.report.checkpoint(), []
        for constants in claims:
            self.report.roll_back(untouched)
            judge = self._judge(spec, len(given.x), case, constants)
            judge.run(given, dtype, with_keras, before)
            if not self.report.failures_since(untouched):
                if constants is not None and self.constants is None:
                    self.constants = constants.words
                    self.report.notes.append(constants.words)
                elif case is None and dtype == "float64" and self.constants is None:
                    self.report.notes += [one.instead for one in others.values() if one.instead and judge.tells(one)]
                return
            results.append((self.report.failures_since(untouched), self.report.checkpoint(), judge))
        # A slip stands beside the constants that leave the least wrong
        _, nearest, judge = min(results, key=lambda result: result[0])
        self.report.roll_back(nearest)
        judge.explain(None if case is None else self.right_on)

    def _judge(
        self, spec: ModelSpec, examples: int, case: EdgeCase | None, constants: OtherConstants | None
    ) -> LayerJudge:
        layer = self.layer.on_copy()
        averaged = examples * self.averaged
        with_backward = self.with_backward and not (case is not None and case.forward_only)
        return LayerJudge(spec, layer, self.report, self.training, with_backward, averaged, case, constants)
