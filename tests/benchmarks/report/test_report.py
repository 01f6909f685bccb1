"""The report: everything is in it, it says what the result says, it needs nothing else, and it is small."""

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

import bridge
from benchmarks import compare as job
from benchmarks import experiments, report
from benchmarks.accuracy import train_both
from bridge.judge.heat_map import heat_map

SCHEMA = json.loads((Path(report.__file__).parent / "schema.json").read_text())
SECTIONS = (
    "verdict network parity divergence drift curves accuracy images insides speed memory specification"  # in page order
).split()


class Outline(HTMLParser):
    """Sections, pictures and addresses of a page; unclosed and unopened elements are errors."""

    VOID = {"meta", "link", "img", "br", "use", "path"}

    def __init__(self, text):
        super().__init__()
        self.sections, self.alternatives, self.addresses, self.open = [], [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in found and found["id"] in SECTIONS:
            self.sections.append(found["id"])
        if tag == "img":
            self.alternatives.append(found["alt"])
        if found.get("role") == "img":
            self.alternatives.append(found["aria-label"])
        self.addresses += [found[name] for name in ("src", "href", "xlink:href") if name in found]

    def handle_startendtag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
            self.handle_starttag(tag, attributes)
            self.open.pop()
            self.open.pop()
        else:
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open and self.open[-1] == tag, (tag, self.open[-5:], self.getpos())
        self.open.pop()


def test_every_section_is_there_and_every_picture_has_words(saved):
    page = Outline((saved / "report.html").read_text())
    assert page.sections == SECTIONS
    assert len(page.alternatives) >= 16
    assert all(len(words) > 20 for words in page.alternatives)


def test_nothing_leaves_the_file(saved):
    page = Outline((saved / "report.html").read_text())
    assert page.addresses
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []


def test_it_is_small_and_quickly_written(comparison, tmp_path):
    # Of this process alone: another one on the machine must not fail it
    start = time.process_time()
    report.save(comparison, tmp_path)
    seconds = time.process_time() - start
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    assert seconds < 10


def test_the_json_keeps_its_schema(saved):
    entry = json.loads((saved / "report.json").read_text())
    jsonschema.validate(entry, SCHEMA)
    assert entry["format"] == report.FORMAT
    assert len(entry["seeds"]) == 2
    confusion = entry["accuracy"]["confusion"]["NumPy"]
    assert sum(map(sum, confusion)) == entry["configuration"]["test_rows"]
    right = sum(confusion[i][i] for i in range(10))
    assert right / entry["configuration"]["test_rows"] == pytest.approx(
        entry["accuracy"]["backends"][0]["test"]["accuracy"]
    )
    damaged = {**entry, "verdict": "MAYBE"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(damaged, SCHEMA)


def test_the_numbers_of_the_page_are_those_of_the_result(comparison, saved):
    page = (saved / "report.html").read_text()
    for backend in comparison.accuracy.backends:
        assert f"{backend.test['accuracy']:.4f}" in page
    worst = comparison.parity.worst(comparison.parity.rows, "error_over_bound")
    assert f"the largest difference is {worst.error_over_bound:.2f} of its bound" in page
    for layer in comparison.spec.layers:
        assert f"<b>{layer.name}</b>" in page


def test_a_notebook_shows_the_same_as_tables(comparison):
    shown = comparison._repr_html_()
    assert comparison.accuracy._repr_html_() in shown
    assert comparison.speed._repr_html_() in shown
    accuracy = comparison.accuracy.backends[0].test["accuracy"]
    assert f">{accuracy:.4f}</td>" in shown
    assert shown.count("<table>") >= 1 + len(comparison.speed.phases)


def test_a_fault_is_pointed_at(comparison, tmp_path):
    x, y = comparison.data.train
    parity = bridge.compare(comparison.spec, x[:8], y[:8], prepare=bridge.plant("uninverted-dropout"))
    broken = replace(comparison, parity=parity, drift=[], accuracies=[], insides=None, speed=None, beginning=None)
    report.save(broken, tmp_path)
    page = (tmp_path / "report.html").read_text()
    outline = Outline(page)
    assert outline.sections == ["verdict", "network", "parity", "divergence", "specification"]
    assert "First divergence: layer dropout" in page
    assert "They part at layer dropout (forward, dropout, float64, training)" in page
    assert "They were not trained, and not timed." in page
    assert re.findall(r'<li class="differ">\n<b>(\w+)</b>', page) == ["dropout"]
    assert "Planted fault: uninverted-dropout" in page
    assert "&#10007;" in page
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text()), SCHEMA)


def test_heat_map_cells_are_the_worst_of_their_layer(comparison):
    rows = comparison.parity.rows
    table = heat_map(rows)
    layers = list(dict.fromkeys(row.layer for row in rows))
    assert re.findall(r'<th scope="row">([^<]*)</th>', table) == layers
    worst = max(rows, key=lambda row: row.error_over_bound)
    assert f"error/bound {worst.error_over_bound:.3g}" in table
    columns = {(row.dtype, row.path, row.mode, row.stage) for row in rows}
    assert table.count("<td") == len(layers) * len(columns)


def test_points_of_a_plane_get_boundaries_and_surfaces():
    data = experiments.load_data("class_data")
    (spec,) = (found.spec for found in experiments.find_experiments(["mlp"], data))
    training = experiments.default_training(data, epochs=1, batch_size=10, seed=0)
    parity = bridge.compare(spec, *(part[:8] for part in data.train), dtype="float64")
    configuration = {"data": data.name, "training_rows": 100, "test_rows": 100, "seed": 0, "threads": 2}
    trained = train_both(spec, training, data.train, data.test)
    result = job.Comparison(spec, data, parity, configuration, accuracies=[trained])
    page = report.render(result)
    assert 'id="plane"' in page
    assert page.count("Decision boundary") >= 2
    assert 'id="images"' not in page


def test_command_line_is_shown_as_it_can_be_typed():
    arguments = ["/a/path/bin/crosscheck", "compare", "my model.toml", "--seed", "3"]
    assert report.command_line(arguments) == "crosscheck compare 'my model.toml' --seed 3"
