"""The engine is tested where BLAS has threads of its own."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def blas_has_threads(two_blas_threads):
    """For every test in this folder."""
