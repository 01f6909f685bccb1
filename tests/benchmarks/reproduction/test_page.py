"""The record and what is written from it: the page, its pictures, the lines for the terminal."""

import dataclasses
import json

import pytest

from benchmarks.reproduction import cells, page, pictures, wording
from benchmarks.reproduction import record as records
from benchmarks.reproduction.experiment import Row, Variant, load_rows
from benchmarks.reproduction.slices import DataSlice
from benchmarks.reproduction.statistics import paired
from benchmarks.reproduction.summary import summarise


def of_two_seeds(record):
    return record.only(key for key, entry in record.entries.items() if entry.seed < 2)


@pytest.fixture
def written(rows, record, tmp_path):
    """The page of three made-up seeds, and the directory it is in."""
    page.write(tmp_path / "docs" / "page.md", tmp_path / "docs" / "records" / "all.json", rows, record)
    return (tmp_path / "docs" / "page.md").read_text(encoding="utf-8"), tmp_path / "docs"


def test_the_record_comes_back_as_it_was(record, tmp_path):
    path = tmp_path / "records" / "all.json"
    record.write(path)
    again = records.read(path)
    # A page written now and one written from the file are the same
    assert again.entries == record.entries
    for entry in again.entries.values():
        assert entry.row == "small"
        assert entry.result["figures"]["inference"]["test_loss"] == 0.123456789
        assert entry.result["curves"]["history"]["loss"] == [1.0, 0.12346]
    # One machine, written once; the same content gives the same bytes
    assert len(json.loads(path.read_text())["environments"]) == 1
    assert again.to_json() == path.read_text()


def test_no_record_is_an_empty_one_and_a_damaged_one_an_error(tmp_path):
    assert records.read(tmp_path / "none.json").entries == {}
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match=r"bad.json is no record of crosscheck reproduce"):
        records.read(tmp_path / "bad.json")


def test_cells_of_an_experiment_that_has_changed_are_dropped(record):
    first = next(iter(record.entries))
    assert set(record.only([first, "of another row"]).entries) == {first}


def test_the_page_has_published_and_found_side_by_side(written):
    text, _ = written
    assert "from 6 runs of 2026-01-02; A processor, 2 cores; Python 3.11, NumPy 2.0" in text
    assert "commits 0123456789." in text
    line = next(line for line in text.splitlines() if line.startswith("| first | inference | test accuracy |"))
    # t * 0.1 * sqrt(4/3) is 0.5: 0.9 lies within; all pairs are equal
    assert "| 0.9 | 0.9000 ± 0.1000 | 0.9000 ± 0.1000 | +0.0000 [+0.0000, +0.0000] | within |" in line
    assert "| 0.95 to 0.99 | 0.9000 ± 0.1000 | 0.9000 ± 0.1000 | - | within |" in text
    assert "| first | 12.5 | 1.0000 ± 0.0000 | 4.0000 ± 0.0000 |" in text
    # The accuracies are 0.1 apart
    assert "The backends agree so far, 3 of 10 seeds run." in text
    assert "Slip: It was measured twice." in text
    assert "Asked of the mean test accuracy: 0.5 to 1; NumPy reaches, Keras reaches it." in text


def test_a_row_that_was_not_run_says_so(written):
    text, _ = written
    assert "| [Another](#other) | - | - | - | - | - | - | not run yet |" in text
    assert text.rstrip().endswith("Not run yet.")


def test_the_page_shows_the_rows_curves(written):
    text, directory = written
    assert "![A small one](records/all/small.svg)" in text
    picture = (directory / "records" / "all" / "small.svg").read_text(encoding="utf-8")
    assert "NumPy" in picture
    assert "Keras" in picture


@pytest.mark.parametrize("left_out", [["measured"], ["history", "measured"]])
def test_a_row_without_some_curves_has_a_page(rows, record, tmp_path, left_out):
    """As where nothing is measured on the way, or a run is of single figures."""
    for entry in record.entries.values():
        for kind in left_out:
            del entry.result["curves"][kind]
    page.write(tmp_path / "page.md", tmp_path / "records" / "all.json", rows, record)
    assert "0.9" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_few_seeds_that_agree_are_not_the_last_word(rows, record):
    whole = dataclasses.replace(summarise(rows["small"], record), seeds=10)
    assert wording.backends_word(whole) == "agree"
    assert wording.backends_word(summarise(rows["small"], of_two_seeds(record))) == "agree so far, 2 of 3 seeds run"


def _apart(record, differences):
    """Keras' accuracies below NumPy's by these, seed by seed."""
    for entry in record.entries.values():
        if entry.backend == "keras":
            entry.result["figures"]["inference"]["test_accuracy"] -= differences[entry.seed % 10]
    return record


def test_a_difference_is_marked(rows, record):
    summary = summarise(rows["small"], _apart(record, [0.004] * 10))
    assert not summary.agrees
    assert summary.fresh is None
    assert wording.backends_word(summary) == "are undecided, 3 of 10 seeds run"
    some = summarise(rows["small"], of_two_seeds(record))
    assert wording.backends_word(some) == "are undecided, 2 of 3 seeds run"
    assert "**misses zero**" in page.text(rows, record, {}, "all.json")
    assert any("**misses zero**" in line for line in wording.text_lines(rows["small"], summary))
    record = _apart(record, [-0.004, -0.004, 0.008])
    assert wording.difference(summarise(rows["small"], record).lines[0]).endswith("**too large**")


TEN = [0.001 * one for one in (2, 2, 1, 2, 2, 1, 2, 2, 1, 2)]
"""Differences that are small, but no chance."""


def _in_doubt(rows, ten, fresh):
    """A record of the first ten seeds with differences TEN, and of fresh ones with these."""
    return _apart(ten(rows, range(10)), TEN), _apart(ten(rows, range(20, 20 + len(fresh))), fresh)


@pytest.mark.parametrize(
    ("fresh", "word"),
    [
        ([], "are undecided, 0 of 10 fresh seeds run"),
        ([0.001, -0.001], "are undecided, 2 of 10 fresh seeds run"),
        ([0.001, -0.001] * 5, "agree, 1 of 1 differences asked again of 10 fresh seeds"),
        (TEN, "DIFFER, 1 of 1 differences asked again of 10 fresh seeds"),
        ([0.02, -0.01] * 5, "DIFFER, 1 of 1 differences asked again of 10 fresh seeds"),
    ],
)
def test_what_is_in_doubt_is_decided_by_fresh_seeds_alone(rows, seeds_of, fresh, word):
    first, second = _in_doubt(rows, seeds_of, fresh)
    found = records.Record(first.entries | second.entries)
    summary = summarise(rows["small"], found)
    assert (summary.seeds, summary.fresh) == (10, len(fresh))
    assert wording.backends_word(summary) == word
    assert summary.agrees is word.startswith("agree")
    own = summary.lines[0]
    # The fresh seeds decide, the figures are those of the first
    assert len(own.values["numpy"]) == 10
    assert own.difference.mean == pytest.approx(0.0017)
    assert (own.second is None) is (fresh == [])
    assert ("; fresh seeds" in page.text(rows, found, {}, "all.json")) is (fresh != [])
    json.dumps(summary.to_dict(), allow_nan=False)


def test_fresh_seeds_are_not_asked_where_nothing_is_in_doubt(rows, seeds_of):
    found = records.Record(seeds_of(rows, range(10)).entries | _apart(seeds_of(rows, range(20, 30)), TEN).entries)
    summary = summarise(rows["small"], found)
    assert (summary.agrees, summary.fresh, summary.lines[0].second) == (True, None, None)
    assert wording.backends_word(summary) == "agree"


def test_pairs_that_stopped_at_different_epochs_are_compared_where_both_have_run_too(rows, seeds_of):
    """Keras stops seed 6 an epoch earlier, 4 points lower, and its curve of training lies 0.4 points lower."""
    found = seeds_of(rows, range(10))
    for entry in found.entries.values():
        history = entry.result["curves"]["history"]
        history["accuracy"], history["val_accuracy"] = [0.5, 0.7], [0.6, 0.8]
        if entry.backend == "keras":
            history["accuracy"] = [one - 0.004 for one in history["accuracy"]]
            if entry.seed == 6:
                entry.result["figures"]["run"]["epochs"] = 1
                entry.result["figures"]["inference"]["test_accuracy"] -= 0.04
    summary = summarise(rows["small"], found)
    lines = {(line.reading, line.figure): line for line in summary.lines}
    assert lines["inference", "test_accuracy"].in_doubt, "the final accuracies count as they do elsewhere"
    train, validation = (lines["last epoch of both", f"{one}_accuracy"] for one in ("train", "validation"))
    assert (train.values["numpy"][5:7], train.values["keras"][5:7]) == ([0.7, 0.5], [pytest.approx(0.696), 0.496])
    assert train.in_doubt
    assert validation.values["keras"] == [0.8] * 6 + [0.6] + [0.8] * 3
    assert validation.agrees
    text = page.text(rows, found, {}, "all.json")
    assert "| last epoch of both | validation accuracy | - | 0.7800 ± 0.0632 | 0.7800 ± 0.0632 | +0.0000" in text


def test_how_many_intervals_miss_zero_stands_beside_what_chance_brings(rows, record):
    summary = summarise(rows["small"], record)
    own = next(line for line in summary.lines if line.figure == "test_accuracy")
    missing = dataclasses.replace(own, difference=paired([0.901, 0.9011, 0.9012], [0.9, 0.9, 0.9]))
    holding = dataclasses.replace(own, difference=paired([0.9, 0.902, 0.9], [0.901, 0.9, 0.9]))
    many = dataclasses.replace(summary, lines=[missing] + 18 * [holding])
    words = wording.chance([many, summary])
    assert words.startswith("20 accuracies are compared; 1 of them")
    assert words.endswith("Of the other 19 intervals 1 miss zero; by chance 1.0 would.")


def test_the_published_figure_lies_beside_one_backend_only(rows, record):
    for entry in record.entries.values():
        entry.result["figures"]["inference"]["test_accuracy"] = {"numpy": 0.9, "keras": 0.8}[entry.backend]
    line = summarise(rows["small"], record).lines[0]
    assert line.verdict == "within (numpy), above (keras)"


def test_seconds_of_runs_that_were_not_alone_are_left_out(rows, record):
    for entry in record.entries.values():
        entry.result["alone"] = False
    summary = summarise(rows["small"], record)
    assert summary.seconds == {"first": {"numpy": [], "keras": []}}
    assert "| seconds |" not in page.text(rows, record, {}, "all.json")


def test_pairs_are_of_seeds_both_backends_have_finished(rows, record):
    last = next(key for key, entry in record.entries.items() if (entry.backend, entry.seed) == ("keras", 2))
    del record.entries[last]
    summary = summarise(rows["small"], record)
    assert summary.seeds == 2
    assert summary.lines[0].values == {"numpy": [0.8, 0.9], "keras": [0.8, 0.9]}


def test_an_empty_record_makes_a_page_that_says_so(rows):
    text = page.text(rows, records.Record(), {}, "all.json")
    assert "Nothing has been measured yet" in text
    assert text.count("Not run yet.") == 2


def test_the_speed_up_stands_beside_the_numerical_gradient(made_up):
    rows = {name: load_rows()[name] for name in ("class-data-numerical", "class-data-backpropagation")}
    found = records.Record()
    for name, row in rows.items():
        for backend in cells.BACKENDS:
            one = cells.cell(row, row.variants[0], backend, 0, 2)
            found.add(one.key, one.arguments, made_up(0.9, 50.0 if name == "class-data-numerical" else 0.5))
    text = page.text(rows, found, {}, "all.json")
    assert "NumPy: the numerical gradient takes 100.0 times as long; the loss curves are at most 0 apart." in text


@pytest.mark.parametrize(("way", "look"), [("histograms", "histograms"), ("filters", "filters")])
def test_what_is_looked_at_is_drawn(way, look, tmp_path, made_up):
    histogram = {"weights": "he", "activation": "relu", "layer": 1, "low": 0.0, "high": 1.0, "counts": [1] * 30}
    looked = {"histograms": [histogram], "image": [[0.0, 1.0]] * 2, "maps": [[[0.5, -0.5]] * 2] * 2}
    row = Row("look", "Look", "One sees it.", DataSlice("digits"), (Variant("it", way=way),), seeds=3)
    found = records.Record()
    for backend in cells.BACKENDS:
        one = cells.cell(row, row.variants[0], backend, 0, 2)
        result = made_up(0.9) | {"looked": looked, "figures": {"run": {"mean square 1": 0.25}}}
        del result["curves"]
        found.add(one.key, one.arguments, result)
    figures = pictures.figures_of(row, found)
    assert set(figures) == {f"look-{look}"}
    path = pictures.write(tmp_path, "look", figures[f"look-{look}"])
    assert 0 < path.stat().st_size < 60_000
    text = page.text({"look": row}, found, {}, "all.json")
    assert ("The maps of the two backends are at most 0 apart." in text) == (way == "filters")


def test_a_large_picture_is_written_as_png(tmp_path):
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure()
    values = np.random.default_rng(0).random(20_000)
    figure.subplots().scatter(values, values[::-1], s=1)
    assert pictures.write(tmp_path, "large", figure).suffix == ".png"
