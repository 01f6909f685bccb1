"""Softmax and its logarithm: known values, no overflow, shift invariance; one-hot rows; sums of rows."""

import math

import numpy as np
import pytest

from core_numpy.ops import log_softmax, one_hot, softmax, softmax_backward
from core_numpy.ops.reduction import sum_rows
from core_numpy.ops.softmax import SHORT_ROW


def test_known_values():
    logits = np.array([[0.0, math.log(2), math.log(5)]])
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-15)
    np.testing.assert_allclose(log_softmax(logits), np.log([[1 / 8, 2 / 8, 5 / 8]]), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_no_overflow(dtype, size):
    logits = np.array([[size, 0.0, -size], [-size, -size, -size]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        shares, logarithms = softmax(logits), log_softmax(logits)
    np.testing.assert_allclose(shares, [[1, 0, 0], [1 / 3] * 3], atol=1e-7)
    # The logarithm of a share that is zero in floating point is still exact.
    np.testing.assert_allclose(logarithms[0], np.array([0, -size, -2 * size], dtype), rtol=1e-6)
    assert shares.dtype == logarithms.dtype == dtype


def test_a_constant_changes_nothing():
    logits = np.random.default_rng(0).normal(size=(3, 2, 4))
    np.testing.assert_allclose(softmax(logits + 50), softmax(logits), rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_softmax(logits)), softmax(logits), rtol=1e-12)
    np.testing.assert_allclose(softmax(logits).sum(axis=-1), 1, rtol=1e-14)


def test_backward_is_the_jacobian():
    random = np.random.default_rng(1)
    y, dy = softmax(random.normal(size=5)), random.normal(size=5)
    jacobian = np.diag(y) - np.outer(y, y)
    np.testing.assert_allclose(softmax_backward(y, dy), jacobian @ dy, rtol=1e-13, atol=1e-15)


def test_one_hot():
    rows = one_hot(np.array([[2, 0], [1, 2]]), 3)
    assert rows.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]]]
    assert rows.dtype == np.float32
    assert one_hot([1], 2, "float64").dtype == np.float64
    assert one_hot(np.zeros(0, int), 3).shape == (0, 3)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_labels_outside_are_refused(labels):
    with pytest.raises(ValueError, match=rf"labels must be 0..2, got {min(labels)}..{max(labels)}"):
        one_hot(np.array(labels), 3)


def test_sum_rows():
    matrix = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]], np.float32)
    assert sum_rows(matrix).tolist() == [7.0, 70.0]
    assert sum_rows(matrix).dtype == np.float32


@pytest.mark.parametrize("classes", [2, 10, SHORT_ROW, SHORT_ROW + 1])
def test_short_rows_are_computed_as_columns_to_the_same_numbers(classes):
    logits = np.random.default_rng(2).normal(size=(200, classes)) * 20
    true = logits - logits.max(axis=1, keepdims=True)
    true -= np.log([[math.fsum(math.exp(value) for value in row)] for row in true])
    for given in (logits, np.asfortranarray(logits), logits[::-1][::-1]):
        np.testing.assert_allclose(log_softmax(given), true, rtol=1e-13, atol=1e-13)
