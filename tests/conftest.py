"""What holds for every test: property tests repeat exactly, quick ones are marked, NumPy's random state stays."""

import gc
import os
from pathlib import Path

# Before NumPy is loaded: on small matrices the threads of two test processes mostly wait for each other; tests of
# threads ask for two_blas_threads
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from tests.browser import Browser

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=50)
settings.load_profile("repeatable")


TESTS = Path(__file__).resolve().parent
WITHOUT_TENSORFLOW = tuple(TESTS / name for name in ("model_spec", "core_numpy", "test_architecture.py"))
"""What is tested here starts no TensorFlow: these are the quick tests."""


def pytest_addoption(parser):
    parser.addoption("--rewrite-pages", action="store_true", help="write pages that show what is printed anew")


def pytest_collection_modifyitems(items):
    for item in items:
        if any(path == item.path or path in item.path.parents for path in WITHOUT_TENSORFLOW):
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish():
    # What the test modules have imported stays: a collection that walks through TensorFlow takes a third of a second
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One Chromium for all tests that open pages."""
    found = Browser(tmp_path_factory.mktemp("chromium"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def two_blas_threads():
    """BLAS with two threads, as on a user's machine."""
    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.fixture(autouse=True)
def global_random_state_stays():
    before = np.random.get_state()  # noqa: NPY002 - reading the global state is how one sees that it moved
    yield
    after = np.random.get_state()  # noqa: NPY002
    moved = any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert not moved, "this test moved NumPy's global random state; draw from np.random.default_rng(seed) instead"
