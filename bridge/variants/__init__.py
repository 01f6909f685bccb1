"""Right implementations that round differently: the judge must not call any of them a bug."""

from bridge.variants.catalogue import VARIANTS
from bridge.variants.variant import Variant

__all__ = ["VARIANTS", "Variant"]
