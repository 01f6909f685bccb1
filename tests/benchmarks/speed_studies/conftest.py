"""The studies measure for real, but shortly: no pauses, and samples of a few calls."""

import pytest

from benchmarks.speed_studies import cliffs, contestants, proof, scaling, table, worker_process


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch):
    monkeypatch.setattr(worker_process, "SETTLE_SECONDS", 0.0)
    for module in (contestants, cliffs, proof, scaling, table):
        if hasattr(module, "SAMPLE_SECONDS"):
            monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.005)
