"""Dropout as the original paper has it: what is kept is not scaled in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.dropout import Dropout


class UninvertedDropout(Dropout):
    """Dropout that does not scale what it keeps; inference would have to."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, scaled = super().forward(params, state, x, context)
        if scaled is None:
            return y, None
        mask = (scaled != 0).astype(x.dtype)
        return x * mask, mask


class ScaledInferenceDropout(Dropout):
    """Dropout that keeps all in inference, times the share that training keeps."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kept = x.dtype.type(1 - self.spec.rate)
        y, scaled = super().forward(params, state, x, context)
        factor = np.full_like(x, kept) if scaled is None else (scaled != 0).astype(x.dtype)
        return x * factor, factor
