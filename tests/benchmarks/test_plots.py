"""Pictures: what is drawn can be read off the SVG's own text."""

from benchmarks.plots import drift_curves


def training(dtype, controls=4):
    steps = [{"largest": size * 2.0**-24} for size in (1, 3, 40)]
    control = [{"largest": size * 2.0**-24} for size in (2, 5, 20)] if controls else []
    return {"dtype": dtype, "verdict": "AGREE", "controls": controls, "steps": steps, "control": control}


def test_drift_has_a_panel_for_each_precision_and_a_curve_for_each_pair():
    text = drift_curves([training("float64"), training("float32", 20)])
    assert text.startswith("<svg")
    for words in ("float64: AGREE", "float32: AGREE", "4 controls", "20 controls"):
        assert text.count(words) == 1
    assert text.count("NumPy from Keras") == 2
    assert text == drift_curves([training("float64"), training("float32", 20)])


def test_drift_without_controls_is_drawn_too():
    """A training that is resynchronised after each step has none."""
    assert "Keras from itself, 0 controls" in drift_curves([training("float32", 0)])
