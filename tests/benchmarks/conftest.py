"""What tests of ``crosscheck compare`` spare where its speeds are not the point."""

from contextlib import contextmanager
from functools import partial

import pytest

from benchmarks import speed
from benchmarks.speed_studies import start


@pytest.fixture(scope="session")
def short_speeds():
    """``with short_speeds():`` samples are few and short, and each backend is started once; test_cli spares nothing."""
    begin, compare, found = start.begin, partial(speed.compare_speed, minimum_sample_seconds=0.002), {}

    def begin_once(backend, *given, **options):
        if backend not in found:
            found[backend] = begin(backend, *given, **options)
        return found[backend]

    @contextmanager
    def patched():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(start, "begin", begin_once)
            patch.setattr(speed, "SETTLE_SECONDS", 0.0)
            patch.setattr(
                speed,
                "compare_speed",
                lambda arms, blocks, warmup_seconds: compare(arms, blocks=5, warmup_seconds=0.01),
            )
            yield

    return patched
