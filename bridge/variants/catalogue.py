"""All right variants by name."""

from __future__ import annotations

from bridge.variants.functions import FUNCTION_VARIANTS
from bridge.variants.layers import LAYER_VARIANTS
from bridge.variants.objectives import OBJECTIVE_VARIANTS
from bridge.variants.products import PRODUCT_VARIANTS
from bridge.variants.subgradients import SUBGRADIENT_VARIANTS
from bridge.variants.updates import UPDATE_VARIANTS
from bridge.variants.variant import Variant

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
