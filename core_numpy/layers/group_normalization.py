"""GroupNormalization from scratch: layer normalization of groups of channels, then a scale and shift for each."""

from __future__ import annotations

from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.layer_normalization import LayerNormalization, LayerNormalizationCache
from core_numpy.ops.reduction import sum_rows
from model_spec import layers as specs


class GroupNormalizationCache(NamedTuple):
    """The normalized values, of x's shape, and what the normalization of groups left."""

    normalized: Array
    of_groups: LayerNormalizationCache


class GroupNormalization(Layer):
    """Wu and He (2018) with Keras' conventions: ``gamma (x - mean) / sqrt(variance + epsilon) + beta``."""

    spec: specs.GroupNormalization

    def of_groups(self, rank: int) -> LayerNormalization:
        """The normalization of values (n, ..., groups, channels of each), where x has ``rank`` axes."""
        axes = (*range(1, rank - 1), rank)
        return LayerNormalization(specs.LayerNormalization(axes, self.spec.epsilon, center=False, scale=False))

    def grouped(self, value: Array) -> Array:
        """(n, ..., c) -> (n, ..., groups, channels of each)."""
        return value.reshape(*value.shape[:-1], *self.spec.group_shape(value.shape[1:]))

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        grouped, cache = self.of_groups(x.ndim).forward({}, {}, self.grouped(x), context)
        normalized = grouped.reshape(x.shape)
        y = normalized * params["gamma"] if "gamma" in params else normalized
        if "beta" in params:
            y = y + params["beta"]
        return y, GroupNormalizationCache(normalized, cache)

    def backward(
        self, params: Variables, cache: GroupNormalizationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        # (n, ..., c) -> (c,)
        grads = {
            name: sum_rows((dy * cache.normalized if name == "gamma" else dy).reshape(-1, dy.shape[-1]))
            for name in params
        }
        if not need_dx:
            return None, grads
        scaled = dy * params["gamma"] if "gamma" in params else dy
        dx, _ = self.of_groups(dy.ndim).backward({}, cache.of_groups, self.grouped(scaled))
        return dx.reshape(dy.shape), grads  # type: ignore[union-attr]
