"""Right implementations that round differently: the judge must not call any of them a bug."""

from bridge.selftest.variants.catalogue import VARIANTS
from bridge.selftest.variants.variant import Variant

__all__ = ["VARIANTS", "Variant"]
