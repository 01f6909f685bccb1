"""Guards on x, y and weights: what is let through, and what came, was expected and helps for the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import model_spec as ms
from model_spec import fitting, inputs, losses, zoo
from model_spec.targets import check_classes, check_y

CROSSENTROPY = losses.CategoricalCrossentropy()


def with_value(shape, index, value):
    array = np.zeros(shape)
    array[index] = value
    return array


def test_x_is_cast_and_contiguous():
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(0, 2, 1)
    clean = inputs.check_x(x, (4, 3), "float32")
    assert clean.dtype == np.float32
    assert clean.flags.c_contiguous
    np.testing.assert_array_equal(clean, x)
    assert inputs.check_x([[1, 2]], (2,), "float64").dtype == np.float64
    assert inputs.check_x(np.empty((0, 2)), (2,), "float32", allow_empty=True).shape == (0, 2)


@pytest.mark.parametrize(
    ("x", "shape", "message"),
    [
        (np.zeros((5, 28, 28)), (28, 28, 1), r"got \(5, 28, 28\); add the channel axis with x\[..., None\]"),
        (np.zeros((28, 28, 1)), (28, 28, 1), r"got \(28, 28, 1\); add the batch axis with x\[None\]"),
        (
            np.zeros((5, 3)),
            (4,),
            r"x must have shape \(examples, \*\(4,\)\), got \(5, 3\); reshape it to \(examples, 4\)",
        ),
        (
            np.zeros((5, 48, 40, 3)),
            (32, 32, 3),
            r"got \(5, 48, 40, 3\); resize it .* input_shape=\(48, 40, 3\), --input-shape 48,40,3$",
        ),
        (np.zeros((0, 4)), (4,), r"x has no rows \(shape \(0, 4\)\); give at least one example"),
        (
            with_value((4, 4), (3, 1), np.nan),
            (4,),
            r"x contains NaN: 1 of 16 values .*first at \[3, 1\]; clean or drop",
        ),
        (with_value((4, 4), (2, 0), -np.inf), (4,), r"x contains Inf: 1 of 16 values .*first at \[2, 0\]"),
        (with_value((4, 4), (2, 0), 1e300), (4,), "x contains Inf"),
        (np.array([["a"]]), (1,), "x must hold numbers, got dtype <U1; convert it with"),
        (np.array([[1j]]), (1,), "x must hold numbers, got dtype complex128"),
        ([[1, 2], [3]], (2,), "x cannot be made an array .*give rows of equal shape"),
    ],
)
def test_bad_x_is_refused(x, shape, message):
    with pytest.raises(ValueError, match=message):
        inputs.check_x(x, shape, "float32")


@pytest.mark.parametrize("dtype", ["float16", "int32", "nonsense", None])
def test_only_two_dtypes(dtype):
    with pytest.raises(ValueError, match='dtype must be "float32" or "float64", got'):
        inputs.floating_dtype(dtype)


def test_the_form_of_labels_is_read_from_y():
    classes = check_y([2, 0, 1], 3, (3,), CROSSENTROPY, "float32")
    assert (classes.dtype, classes.tolist()) == (np.int64, [2, 0, 1])
    assert check_y(np.array([[2.0], [0.0]]), 2, (3,), CROSSENTROPY, "float32").tolist() == [2, 0]
    assert check_y(np.array([2.0, 0.0]), 2, (3,), CROSSENTROPY, "float32").tolist() == [2, 0]
    rows = check_y(np.eye(3), 3, (3,), CROSSENTROPY, "float32")
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.eye(3))
    assert check_y([True, False], 2, (2,), CROSSENTROPY, "float32").tolist() == [1, 0]


def test_smoothed_labels_become_rows():
    smoothed = check_y([1], 1, (3,), losses.CategoricalCrossentropy(label_smoothing=0.1), "float64")
    np.testing.assert_array_equal(smoothed, [[0.0, 1.0, 0.0]])


def test_values_for_squared_error():
    squared = losses.MeanSquaredError()
    assert check_y([0.5, 2.0], 2, (1,), squared, "float32").shape == (2, 1)
    np.testing.assert_array_equal(check_y([1, 0], 2, (2,), squared, "float64"), [[0, 1], [1, 0]])
    assert check_y(np.zeros((2, 4, 3)), 2, (4, 3), squared, "float32").shape == (2, 4, 3)


@pytest.mark.parametrize(
    ("y", "examples", "output", "loss", "message"),
    [
        ([0, 12], 2, (10,), CROSSENTROPY, r"labels must be 0\.\.9, got 12 at index 1; renumber the labels"),
        ([0, -1], 2, (10,), CROSSENTROPY, r"labels must be 0\.\.9, got -1 at index 1"),
        ([1e30], 1, (10,), CROSSENTROPY, r"labels must be 0\.\.9, got 1\d{30} at index 0"),
        ([True], 1, (1,), CROSSENTROPY, r"labels must be 0\.\.0, got 1 at index 0"),
        ([0, 0.5], 2, (10,), CROSSENTROPY, r"whole numbers in 0\.\.9, got 0.5 at index 1; .*mean_squared_error"),
        ([0, np.nan], 2, (10,), CROSSENTROPY, r"y contains NaN: 1 of 2 values .*first at \[1\]"),
        ([0, 1], 3, (10,), CROSSENTROPY, "x and y must have the same number of rows, got 3 and 2"),
        (np.zeros((3, 4)), 3, (10,), CROSSENTROPY, r"one-hot rows of shape \(3, 10\), got shape \(3, 4\)"),
        (np.ones((2, 3)), 2, (3,), CROSSENTROPY, "probabilities that add up to 1, got sum 3 at index 0; one-hot"),
        ([[2.0, -1.0]], 1, (2,), CROSSENTROPY, "each row of y must be probabilities"),
        (np.eye(3), 2, (3,), CROSSENTROPY, "same number of rows, got 2 and 3"),
        (["a"], 1, (3,), CROSSENTROPY, "y must hold numbers, got dtype <U1"),
        ([0], 1, (4, 3), CROSSENTROPY, r"one row of classes, got output shape \(4, 3\); end the network with Flatten"),
        (np.zeros((2, 3)), 2, (4,), losses.MeanSquaredError(), r"the network's output, \(2, \*\(4,\)\), got \(2, 3\)"),
        ([[np.inf]], 1, (1,), losses.MeanSquaredError(), "y contains Inf"),
        ([[1.5]], 1, (1,), losses.BinaryCrossentropy(), r"must lie in 0\.\.1 for binary cross-entropy, got 1.5\.\.1.5"),
    ],
)
def test_bad_y_is_refused(y, examples, output, loss, message):
    with pytest.raises(ValueError, match=message):
        check_y(y, examples, output, loss, "float32")


@given(labels=st.lists(st.integers(-3, 12), min_size=1, max_size=20))
def test_labels_pass_exactly_when_in_range(labels):
    outside = [index for index, label in enumerate(labels) if not 0 <= label < 10]
    if outside:
        with pytest.raises(ValueError, match=f"got {labels[outside[0]]} at index {outside[0]}"):
            check_classes(labels, len(labels), 10, "float32")
    else:
        assert check_classes(labels, len(labels), 10, "float32").tolist() == labels


def test_sizes_and_calls():
    assert inputs.check_batch_size(None, 32) == 32
    assert inputs.check_batch_size(7, 32) == 7
    assert inputs.check_dropout_call(0) == 0
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got 0"):
        inputs.check_batch_size(0, 32)
    with pytest.raises(ValueError, match="dropout_call must be an integer of at least 0, got -1"):
        inputs.check_dropout_call(-1)
    with pytest.raises(ValueError, match=r"cotangent must have shape \(examples, \*\(3,\)\), got \(2, 4\)"):
        inputs.check_cotangent(np.zeros((2, 4)), 2, (3,), "float32")
        with pytest.raises(ValueError, match="x and cotangent must have the same number of rows, got 3 and 2"):
            inputs.check_cotangent(np.zeros((2, 4)), 3, (4,), "float32")


def test_example_weights():
    y = np.array([0, 2, 1])
    given_weights = fitting.check_sample_weight([1, 2, 3], None, y, "float32", 3)
    assert given_weights.dtype == np.float32
    assert fitting.check_sample_weight(None, None, y, "float32", 3) is None
    by_class = fitting.check_sample_weight(None, {2: 5.0}, y, "float64", 3)
    assert (by_class.dtype, by_class.tolist()) == (np.float64, [1.0, 5.0, 1.0])
    assert fitting.check_sample_weight(None, {1: 0.5}, np.eye(3), "float64", 3).tolist() == [1.0, 0.5, 1.0]
    assert fitting.check_sample_weight(None, {}, y, "float64", 3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("sample_weight", "class_weight", "message"),
    [
        ([1, 1], {0: 1}, "sample_weight or class_weight, not both"),
        ([1, 1, 1], None, r"sample_weight must have shape \(2,\), got \(3,\)"),
        ([1, np.nan], None, r"sample_weight contains NaN: 1 of 2 values"),
        (None, [1, 2], r"class_weight must be a dict such as \{0: 1.0, 1: 2.0\}, got \[1, 2\]"),
        (None, {-1: 2.0}, "a class of class_weight must be an integer of at least 0, got -1"),
        (None, {3: 1.0}, r"class_weight names classes \[3\], but labels are 0..2"),
        (None, {0: np.inf}, r"class_weight\[0\] must be a finite number, got inf"),
    ],
)
def test_bad_example_weights_are_refused(sample_weight, class_weight, message):
    with pytest.raises(ValueError, match=message):
        fitting.check_sample_weight(sample_weight, class_weight, np.array([0, 1]), "float32", 3)


def test_fit_splits_off_the_end():
    spec = zoo.mlp((4,), 3)
    x, y = np.arange(40.0).reshape(10, 4), np.arange(10) % 3
    data = fitting.check_fit(spec, ms.TrainingSpec(validation_split=0.3), x, y, "float32", sample_weight=np.arange(10))
    assert (len(data.x), len(data.y), len(data.sample_weight)) == (7, 7, 7)
    np.testing.assert_array_equal(data.validation[0], x[7:])
    np.testing.assert_array_equal(data.validation[1], y[7:])
    given_data = fitting.check_fit(spec, ms.TrainingSpec(validation_split=0.3), x, y, "float32", (x[:2], y[:2]))
    assert (len(given_data.x), len(given_data.validation[0])) == (10, 2)
    assert fitting.check_fit(spec, ms.TrainingSpec(), x, y, "float32").validation is None


def test_fit_refuses_what_cannot_work():
    spec = zoo.mlp((4,), 3)
    x, y = np.zeros((10, 4)), np.zeros(10, int)
    stopping = ms.TrainingSpec(early_stopping=ms.EarlyStopping())
    with pytest.raises(ValueError, match="watches 'val_loss', but there is no validation data; give validation_data"):
        fitting.check_fit(spec, stopping, x, y, "float32")
    with pytest.raises(ValueError, match=r"validation_data must be a pair \(x, y\)"):
        fitting.check_fit(spec, stopping, x, y, "float32", x)
    with pytest.raises(ValueError, match="validation x must have shape"):
        fitting.check_fit(spec, stopping, x, y, "float32", (np.zeros((2, 5)), [0, 0]))
    with pytest.raises(ValueError, match="x and validation y must have the same number of rows, got 2 and 1"):
        fitting.check_fit(spec, stopping, x, y, "float32", (np.zeros((2, 4)), [0]))


def weights():
    return {name: np.ones(shape) for name, shape in zoo.mlp((4,), 3, hidden=(2,)).variable_shapes.items()}


def test_weights_by_name_or_in_order_are_copied():
    expected = zoo.mlp((4,), 3, hidden=(2,)).variable_shapes
    mine = weights()
    named = inputs.check_weights(mine, expected, "float32")
    assert list(named) == list(expected)
    assert {array.dtype for array in named.values()} == {np.dtype("float32")}
    ordered = inputs.check_weights(list(mine.values()), expected, "float64")
    ordered["dense/bias"][:] = 7
    assert mine["dense/bias"].tolist() == [1.0, 1.0]


def test_weights_of_another_network_list_every_difference():
    expected = zoo.mlp((4,), 3, hidden=(2,)).variable_shapes
    wrong = weights()
    del wrong["dense/bias"]
    wrong["dense/kernel"] = np.ones((4, 5))
    wrong["dense_1/bias"] = np.array([1.0, np.nan, 1.0])
    wrong["dense_1/kernel"] = np.full((2, 3), 1e300)
    wrong["other/kernel"] = np.ones(1)
    with pytest.raises(ValueError, match="do not fit this network") as caught:
        inputs.check_weights(wrong, expected, "float32")
    for part in (
        "dense/bias: missing",
        "other/kernel: unknown here",
        "dense/kernel: expected shape (4, 2), got (4, 5)",
        "dense_1/bias: contains values that are not finite in float32",
        "dense_1/kernel: contains values that are not finite in float32",
        "the model is unchanged",
    ):
        assert part in str(caught.value)
    with pytest.raises(ValueError, match="1 weight arrays were given, this network has 4: dense/kernel, dense/bias"):
        inputs.check_weights([np.ones(2)], expected, "float32")


def test_masked_values_are_refused_and_empty_masks_taken():
    x = np.ones((2, 4))
    with pytest.raises(ValueError, match="x has masked values"):
        inputs.check_x(np.ma.masked_array(x, mask=x > 0), (4,), "float32")
    np.testing.assert_array_equal(inputs.check_x(np.ma.masked_array(x), (4,), "float32"), x)


def test_a_dict_where_one_array_is_expected():
    with pytest.raises(ValueError, match="x is a dict of 'left, right', and one array is expected"):
        inputs.check_x({"left": np.zeros((2, 3)), "right": np.zeros((2, 3))}, (3,), "float32")
