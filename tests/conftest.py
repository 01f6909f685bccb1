"""What holds for every test: property tests repeat exactly, and nobody touches NumPy's global random state."""

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def global_random_state_stays():
    before = np.random.get_state()  # noqa: NPY002 - reading the global state is how one sees that it moved
    yield
    after = np.random.get_state()  # noqa: NPY002
    moved = any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert not moved, "this test moved NumPy's global random state; draw from np.random.default_rng(seed) instead"
