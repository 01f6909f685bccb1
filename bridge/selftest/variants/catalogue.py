"""All right variants by name."""

from __future__ import annotations

from bridge.selftest.variants.functions import FUNCTION_VARIANTS
from bridge.selftest.variants.layers import LAYER_VARIANTS
from bridge.selftest.variants.objectives import OBJECTIVE_VARIANTS
from bridge.selftest.variants.products import PRODUCT_VARIANTS
from bridge.selftest.variants.subgradients import SUBGRADIENT_VARIANTS
from bridge.selftest.variants.updates import UPDATE_VARIANTS
from bridge.selftest.variants.variant import Variant

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        *PRODUCT_VARIANTS,
        *FUNCTION_VARIANTS,
        *SUBGRADIENT_VARIANTS,
        *LAYER_VARIANTS,
        *OBJECTIVE_VARIANTS,
        *UPDATE_VARIANTS,
    )
}
