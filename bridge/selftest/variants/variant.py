"""Variant: one right way to compute what this package computes another way."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.selftest.faults.fault import Planted


@dataclass(frozen=True)
class Variant(Planted):
    """A change that must be accepted: other bits, or another valid subgradient, and no bug."""
