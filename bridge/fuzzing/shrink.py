"""Shrinks a case on which the backends differ: layers and branches are left out, then Hypothesis looks for less."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter

from bridge.fuzzing.known_layers import KnownLayers
from bridge.fuzzing.random_cases import Case, cases
from bridge.fuzzing.random_networks import need_hypothesis
from bridge.fuzzing.several_ends import single_outputs, with_one_input
from model_spec import LayerSpec, ModelSpec
from model_spec.graph import with_inputs_named


class _OutOfTime(BaseException):
    """Ends Hypothesis' search; no Exception, because that would count as a failing case."""


class _Differs(Exception):
    """Tells Hypothesis that a case is worth shrinking further."""


def shrink(
    case: Case,
    differs: Callable[[Case], bool],
    count: int,
    seed: int,
    seconds: float = 30.0,
    max_layers: int = 8,
    known: KnownLayers | None = None,
) -> Case:
    """The smallest case found that differs too; the case itself where nothing smaller does.

    Args:
        case: drawn by ``fuzz.run(count, seed)`` with the same ``max_layers``: Hypothesis draws it again, because
            it shrinks the choices that led to a case, not the case.
        differs: whether a case shows the same difference.
        count: of the drawing.
        seed: of the drawing.
        seconds: when to stop and be content (Hypothesis alone would give up after 300).
        max_layers: of the drawing.
        known: of the drawing.
    """
    need_hypothesis()
    import hypothesis

    end = perf_counter() + seconds
    fewer = _with_fewer_layers(case, differs, perf_counter() + seconds / 2)
    found: list[Case] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(cases(max_layers, known))
    def narrow(candidate: Case) -> None:
        if not found and candidate != case:
            return
        if perf_counter() > end:
            raise _OutOfTime
        if differs(candidate):
            found.append(candidate)
            raise _Differs

    try:
        narrow()
    except (_Differs, _OutOfTime, hypothesis.errors.Flaky):
        pass
    return min([case, fewer, *found], key=_size)


def _with_fewer_layers(case: Case, differs: Callable[[Case], bool], end: float) -> Case:
    """The case with as many layers left out as can be, each with the branches that only it reads."""
    for spec in _smaller(case.spec):
        if perf_counter() > end:
            break
        candidate = replace(case, spec=spec)
        if differs(candidate):
            return _with_fewer_layers(candidate, differs, end)
    return case


def _smaller(spec: ModelSpec) -> Iterator[ModelSpec]:
    """The networks with one layer less, whose readers read what it read; the fewest layers first."""
    layers = with_inputs_named(spec.layers, spec.sources)
    found: list[ModelSpec] = []
    for name in single_outputs(layers):
        # One of several outputs: the layers behind it go
        end = next(at for at, layer in enumerate(layers) if layer.name == name)
        found += [one for one in _valid(spec, _left(layers[: end + 1], "", "")) if len(one.output_shape) == 1]
    for gone in layers[:-1]:
        for source in dict.fromkeys(gone.inputs):
            for smaller in _valid(spec, _left(layers, str(gone.name), source)):
                if smaller.output_shape == spec.output_shape:
                    found.append(smaller)
    yield from sorted(found, key=lambda smaller: len(smaller.layers))


def _valid(spec: ModelSpec, layers: tuple[LayerSpec, ...]) -> list[ModelSpec]:
    """The network of these layers, if there is one."""
    try:
        return [with_one_input(spec, layers)]
    except ValueError:
        return []


def _left(layers: list[LayerSpec], gone: str, source: str) -> tuple[LayerSpec, ...]:
    """The layers that still lead to the output where the readers of one read another value."""
    read: set[str] = set()
    left: list[LayerSpec] = []
    for layer in reversed(layers):
        if layer.name != gone and (layer is layers[-1] or layer.name in read):
            inputs = tuple(source if name == gone else name for name in layer.inputs)
            read.update(inputs)
            left.append(replace(layer, inputs=inputs))
    return tuple(reversed(left))


def _size(case: Case) -> tuple[int, int]:
    entry = json.dumps(case.to_dict())
    return len(case.spec.layers), len(entry)
