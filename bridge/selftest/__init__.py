"""The judge judged: planted faults must be caught and placed, right variants accepted, every comparison needed."""

from bridge.selftest.report import SelftestReport
from bridge.selftest.running import run

__all__ = ["SelftestReport", "run"]
