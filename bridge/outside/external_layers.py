"""The layers of a model written elsewhere: adapted, stood in for where none is given, made to drop the same units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bridge.judge.bounds import value_name
from bridge.outside.adapters import AdaptedLayer
from bridge.outside.dropped_units import examples_that_show, is_another_share
from bridge.outside.external_variables import ForeignLayerError
from bridge.outside.layouts import SeveralLayoutsError, axes_of, chosen_layouts
from core_numpy.contract import Array, Context
from core_numpy.layers.build import Step
from model_spec import Dropout
from model_spec.shapes import Shape


class StatelessLayer:
    """The from-scratch layer itself, where no foreign one is given: for Flatten, Reshape and their kin."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.cache: Any = None

    def forward(self, x: Array, training: bool, masks: Any = None) -> Array:
        y, self.cache = self.step.layer.forward({}, {}, x, Context(training, masks))
        return y

    def backward(self, dy: Array) -> Array:
        return np.asarray(self.step.layer.backward({}, self.cache, dy)[0])


class DroppingLayer:
    """A foreign Dropout that is made to drop the units of the network it is compared with.

    It runs as it is, and what it multiplies kept values with, forward and backward, is measured and applied to the
    others' mask.
    """

    def __init__(self, layer: AdaptedLayer, claim: Dropout) -> None:
        self.layer = layer
        self.claim = claim
        self.rate = claim.rate
        self.kept: Array | None = None
        self.own = self.shown = np.empty(0, np.bool_)

    def forward(self, x: Array, training: bool, masks: Any = None) -> Array:
        y = self.layer.forward(x, training)
        self.kept = None
        if not training or masks is None:
            return y
        # Zeros do not show whether they were dropped
        self.own, self.shown = y != 0, x != 0
        together = x[0].size // int(np.prod(self.claim.mask_shape(x.shape[1:])))
        count = max(int(self.shown.sum()) // together, 1)
        share = float((~self.own[self.shown]).mean()) if self.shown.any() else self.rate
        given = x
        for _ in range(examples_that_show(self.claim, x.shape[1:])):
            if (self.own & self.shown).any():
                break
            # A draw that keeps nothing does not show the factor
            given = np.ones_like(x)
            y = self.layer.forward(given, training)
            self.own, self.shown = y != 0, given != 0
        if 0 < self.rate < 1 and is_another_share(self.rate, share, count):
            raise ForeignLayerError(
                f"it dropped {share:.3g} of {count} values, the rate is {self.rate:g}; use check_layer"
            )
        self.kept = masks.keep_mask((len(x), *self.claim.mask_shape(x.shape[1:])), self.rate, x.dtype)
        return x * self.kept * self._scale(y, given)

    def backward(self, dy: Array) -> Array:
        if self.kept is None:
            return self.layer.backward(dy)
        ones = np.ones_like(dy)
        dx = self.layer.backward(ones)
        if not np.array_equal(dx[self.shown] != 0, self.own[self.shown]):
            raise ForeignLayerError("its backward drops other units than its forward; judge it with check_layer")
        return dy * self.kept * self._scale(dx, ones)

    def _scale(self, found: Array, given: Array) -> Any:
        used = self.own & (given != 0)
        return found.dtype.type(np.median(found[used] / given[used])) if used.any() else found.dtype.type(1)


def adapted_layers(
    adapt: Callable[..., AdaptedLayer],
    layers: Sequence[Any],
    claims: Sequence[tuple[Step, Shape]],
    kernel_layout: Any,
) -> list[AdaptedLayer | None]:
    """The layers; a kernel whose shape fits several layouts takes the given one of its kind, or that of all others.

    Raises:
        ValueError: a kernel's layout is neither seen nor given, or one is given that no kernel can have.
    """
    given = chosen_layouts(kernel_layout)
    axes = [len(step.layer.spec.parameter_shapes(shape).get("kernel", ())) for step, shape in claims]
    for layout in given:
        if axes_of(layout) not in axes:
            raise ValueError(f"kernel_layout {layout} is for kernels of {axes_of(layout)} axes, and no layer has one")
    found: list[AdaptedLayer | None] = []
    unseen: dict[int, SeveralLayoutsError] = {}
    for at, (layer, (step, shape)) in enumerate(zip(layers, claims, strict=True)):
        found.append(None)
        if layer is not None:
            try:
                found[at] = adapt(layer, step.layer.spec, shape, kernel_layout=given, one_of_many=True)
            except SeveralLayoutsError as error:
                unseen[at] = error
    seen = [(count, one.kernel_layout) for count, one in zip(axes, found, strict=True) if one is not None]
    for at in list(unseen):
        of_its_kind = {layout for count, layout in seen if count == axes[at]}
        if len(of_its_kind) == 1:
            step, shape = claims[at]
            found[at] = adapt(layers[at], step.layer.spec, shape, kernel_layout=of_its_kind.pop())
            del unseen[at]
    if unseen:
        raise _unseen(given, {at: (axes[at], value_name(claims[at][0]), error) for at, error in unseen.items()})
    return found


def _unseen(given: tuple[str, ...], unseen: dict[int, tuple[int, str, SeveralLayoutsError]]) -> ValueError:
    """What is to be given where layouts are not seen, for all kinds of kernels at once."""
    kinds = {axes: (name, error) for axes, name, error in reversed(unseen.values())}
    words = [f"layer {name!r}: {error}" for name, error in reversed(kinds.values())]
    together = (*given, *(error.layouts[0] for _, error in reversed(kinds.values())))
    if len(together) > 1:
        words.append(f"several are given together, one for each kind of kernel, such as kernel_layout={together}")
    return ValueError("; ".join(words))
