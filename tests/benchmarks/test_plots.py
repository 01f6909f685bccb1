"""Pictures: each draws on the axes it is given or makes its own, returns the figure, and shows what it is given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks import plots
from benchmarks.plots.distributions import histogram
from benchmarks.plots.images import mosaic
from core_numpy import NumpyModel
from model_spec import Dense, History, ModelSpec

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((9, 4, 4, 1))
LABELS = np.arange(9) % 3
KERNEL, MAPS = RANDOM.standard_normal((3, 3, 2, 5)), RANDOM.random((5, 5, 7))
OURS, THEIRS = RANDOM.dirichlet(np.ones(3), 9), RANDOM.dirichlet(np.ones(3), 9)
HISTORY = History({"loss": [2.0, 1.0, 0.5], "accuracy": [0.2, 0.5, 0.9], "val_loss": [3.0, 2.5, 2.6]}, [0, 1, 2], 1)
POINTS = RANDOM.standard_normal((20, 2)).astype(np.float32)
PLANE = NumpyModel(ModelSpec("plane", (2,), (Dense(4, activation="tanh"), Dense(3, activation="softmax"))))


def training(dtype, controls=4):
    steps = [{"largest": size * 2.0**-24} for size in (1, 3, 40)]
    control = [{"largest": size * 2.0**-24} for size in (2, 5, 20)] if controls else []
    return {"dtype": dtype, "verdict": "AGREE", "controls": controls, "steps": steps, "control": control}


DRAW = {
    "learning_curves": lambda ax: plots.learning_curves(HISTORY, HISTORY.history, ax=ax),
    "training_and_validation": lambda ax: plots.training_and_validation(HISTORY, HISTORY.history, ax=ax),
    "drift": lambda ax: plots.drift(training("float32"), ax),
    "filters": lambda ax: plots.filters(KERNEL, ax),
    "feature_maps": lambda ax: plots.feature_maps(MAPS, ax),
    "activation_histograms": lambda ax: plots.activation_histograms(*2 * [PLANE.activations(POINTS)], ax=ax),
    "misclassified": lambda ax: plots.misclassified(IMAGES, LABELS, OURS, ax),
    "disagreements": lambda ax: plots.disagreements(IMAGES, LABELS, OURS, THEIRS, ax),
    "reliability": lambda ax: plots.reliability(
        {"NumPy": [(0.5, 0.4, 3), (0.9, 1.0, 7)], "Keras": [(0.6, 0.5, 10)]}, ax
    ),
    "confusion": lambda ax: plots.confusion(LABELS, OURS, ax),
    "decision_boundary": lambda ax: plots.decision_boundary(PLANE, POINTS, LABELS.repeat(3)[:20], ax),
    "speed_ratios": lambda ax: plots.speed_ratios([("train", 2.0, 1.8, 2.2), ("predict", 0.7, 0.6, 0.9)], ax),
}


@pytest.mark.parametrize("name", DRAW)
def test_own_axes_or_given_ones(name):
    own = DRAW[name](None)
    assert isinstance(own, Figure)
    figure = Figure()
    axes = figure.subplots()
    assert DRAW[name](axes) is figure
    assert axes.has_data() or axes.texts
    text = plots.inline_svg(own)
    assert text.startswith("<svg")
    assert text.endswith("</svg>\n")
    assert text == plots.inline_svg(DRAW[name](None)), "the same picture is the same text"


def words(figure):
    return plots.as_svg(figure)


def test_learning_curves_have_two_axes_and_the_best_epoch():
    text = words(plots.learning_curves(HISTORY, HISTORY))
    for label in ("NumPy loss", "Keras loss", "NumPy accuracy", "best epoch", "accuracy, dashed"):
        assert label in text
    validation = words(plots.learning_curves(HISTORY, part="val_"))
    assert "NumPy loss" in validation
    assert "accuracy" not in validation


def test_drift_names_precision_verdict_and_controls():
    text = words(plots.drift(training("float64", 20)))
    for label in ("float64: AGREE", "20 controls", "NumPy from Keras"):
        assert label in text


def test_a_mosaic_keeps_every_tile():
    tiles = RANDOM.random((5, 2, 3))
    image = mosaic(tiles, columns=2)
    assert image.shape == (3 * 3 - 1, 2 * 4 - 1)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, 2)
        np.testing.assert_array_equal(image[3 * row : 3 * row + 2, 4 * column : 4 * column + 3], tile)
    assert np.isnan(image[2]).all()
    assert np.isnan(image[6:, 4:]).all()


def test_filters_are_tiles_of_their_own_kernel():
    kernel = np.zeros((2, 2, 1, 3))
    kernel[..., 0, 1] = 1
    (shown,) = plots.filters(kernel, columns=3).axes[0].images
    np.testing.assert_array_equal(np.asarray(shown.get_array())[:, 3:5], np.ones((2, 2)))


def test_the_surest_mistakes_come_first():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    figure = plots.misclassified(IMAGES[:4], np.array([1, 0, 0, 1]), probabilities)
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions == ["1 as 0\n0.90", "0 as 1\n0.80", "0 as 1\n0.60"]


def test_disagreements_show_both_answers_and_none_says_so():
    first = np.array([[0.9, 0.1], [0.2, 0.8]])
    second = np.array([[0.3, 0.7], [0.1, 0.9]])
    figure = plots.disagreements(IMAGES[:2], np.array([0, 1]), first, second)
    assert [text.get_text() for text in figure.axes[0].texts] == ["is 0\n0 (0.90), 1 (0.70)"]
    none = plots.disagreements(IMAGES[:2], np.array([0, 1]), first, first)
    assert [text.get_text() for text in none.axes[0].texts] == ["none"]


def test_confusion_counts():
    figure = plots.confusion(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9]]))
    assert [int(text.get_text()) for text in figure.axes[0].texts] == [1, 1, 0, 2]


def test_a_plane_needs_two_columns():
    with pytest.raises(ValueError, match=r"needs points \(n, 2\), got shape \(9, 3\)"):
        plots.decision_boundary(PLANE, OURS)


def test_surfaces_name_layer_and_unit():
    figure = plots.activation_surface(PLANE, POINTS, "dense", 3)
    assert figure.axes[0].get_title() == "dense, unit 4"
    with pytest.raises(ValueError, match=r"no unit 4 in layer 'dense'; layers are dense, dense_1"):
        plots.activation_surface(PLANE, POINTS, "dense", 4)


def test_inline_pictures_follow_the_page_and_share_no_names():
    text = plots.inline_svg(DRAW["speed_ratios"](None))
    assert "#000000" not in text
    assert "currentColor" in text
    assert '<g id="' not in text
    assert "fill: #ffffff" not in text


@pytest.mark.parametrize("high", [1, np.nextafter(np.float32(1), np.float32(2)), np.nextafter(1.0, 2)])
def test_histograms_of_values_that_hardly_differ(high):
    counts = histogram(np.array([1, high]))["counts"]
    assert sum(counts) == 2


def test_histograms_leave_out_what_is_not_finite():
    assert sum(histogram(np.array([1.0, np.nan, 2.0, np.inf]))["counts"]) == 2
    assert sum(histogram(np.full(3, np.nan))["counts"]) == 0


def test_names_of_networks_do_not_cover_one_another():
    close = [(f"network_{at}, {side}", 2.0 + at / 50, 0.97) for at in range(5) for side in ("NumPy", "Keras")]
    figure = plots.accuracy_against_time([*close, ("worse, NumPy", 9.0, 0.8), ("diverged, Keras", 3.0, np.nan)])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [note.get_window_extent() for note in axes.texts if note.get_text() and "diverged" not in note.get_text()]
    assert len(boxes) == 11
    assert not [(one, other) for at, one in enumerate(boxes) for other in boxes[:at] if one.overlaps(other)]
    ticks = [tick.get_window_extent() for tick in axes.get_xticklabels(which="both") if tick.get_text()]
    assert not [one for one, other in zip(ticks, ticks[1:], strict=False) if one.overlaps(other)]
