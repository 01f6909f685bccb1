"""All right variants by name."""

from __future__ import annotations

from bridge.selftest.variants import functions, layers, objectives, products, subgradients, updates
from bridge.selftest.variants.variant import Variant

VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for module in (products, functions, subgradients, layers, objectives, updates)
    for variant in module.variants.entries
}
