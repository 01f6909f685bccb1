"""An activation with another value or another derivative in place of the claimed one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.conventions.outcome import Given
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.activation import Activation, ActivationCache
from model_spec import layers as specs

Value = Callable[[Array], Array]


Back = Callable[[Array, Array, Array], Array]
"""(x, y, dy) -> dx."""


class OtherActivation(Activation):
    """An activation with another value or another backward."""

    def __init__(self, spec: Any, value: Value | None = None, back: Back | None = None, inner: Layer | None = None):
        super().__init__(spec)
        object.__setattr__(self, "_own", (value, back, inner))

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        value, _, inner = self._own  # type: ignore[attr-defined]
        if value is not None:
            y = value(x)
        else:
            y = (inner or Activation(self.spec)).forward(params, state, x, context)[0]
        return y, ActivationCache(x, y)

    def backward(
        self, params: Variables, cache: ActivationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        _, back, inner = self._own  # type: ignore[attr-defined]
        if back is None:
            return (inner or Activation(self.spec)).backward(params, cache, dy, need_dx)
        return back(cache.x, cache.y, dy), {}


def claimed_activation(given: Given, *names: str) -> str | None:
    """The name of the last activation, where it is an activation, one of these where some are given."""
    spec = given.last.spec
    name = spec.activation if isinstance(spec, specs.Activation) else None
    return name if name is not None and (not names or name in names) else None
