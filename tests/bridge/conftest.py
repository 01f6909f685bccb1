"""Small real data for the bridge's tests."""

import pytest

from benchmarks import datasets


@pytest.fixture(scope="session")
def digits():
    """The first 8 real 8x8 digits, images in 0..1 with a channel axis."""
    (x, y), _ = datasets.images("digits", limit=8)
    return x, y
