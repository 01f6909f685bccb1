"""The campaign: what is known is kept, what was interrupted goes on, what spreads or differs takes more seeds."""

import dataclasses
import json

import pytest

from benchmarks.cli import CANNOT_COMPARE, INTERRUPTED, main
from benchmarks.commands import reproduce
from benchmarks.reproduction import campaign, cells, experiment, slices
from benchmarks.reproduction.record import Record
from benchmarks.reproduction.summary import summarise
from bridge.fuzzing.task_runner import run_tasks


class Computed(list):
    """(backend, seed) of every cell that was computed; ``accuracy`` says what came out."""

    def accuracy(self, seed):
        return 0.9


@pytest.fixture
def computed(monkeypatch, made_up):
    """Cells take no time: their results are made up."""
    done = Computed()

    def run(experiment, backend, seed, threads, alone):
        done.append((backend, seed))
        return made_up(done.accuracy(seed)) | {"alone": alone}

    monkeypatch.setattr(cells, "run", run)
    return done


EVERY = [("numpy", 0), ("keras", 0), ("numpy", 1), ("keras", 1), ("numpy", 2), ("keras", 2)]


def test_a_second_run_computes_nothing(rows, computed, tmp_path):
    first = campaign.run([rows["small"]], Record(), tmp_path)
    assert computed == EVERY
    assert (first.computed, first.kept, first.failed) == (6, 0, [])
    second = campaign.run([rows["small"]], Record(), tmp_path)
    assert computed == EVERY
    assert (second.computed, second.kept) == (0, 6)
    assert second.record.entries == first.record.entries


def test_the_record_is_a_source_too(rows, record, computed, tmp_path):
    result = campaign.run([rows["small"]], record, tmp_path, quick=True)
    assert computed == []
    assert result.kept == 6


def test_kept_cells_of_every_row_are_taken_in(rows, computed, tmp_path):
    finished = campaign.run([rows["small"]], Record(), tmp_path, quick=True).record
    found = Record()
    campaign.take_in(rows.values(), found, tmp_path)
    assert len(found.entries) == 6
    assert found.entries == finished.entries
    assert computed == EVERY


def test_an_edit_of_the_experiment_makes_new_cells_and_prose_does_not(rows, text, computed, tmp_path):
    campaign.run([rows["small"]], Record(), tmp_path)
    told = experiment.rows_from(
        text.replace("It learns.", "It has learnt.").replace("test_accuracy = 0.9,", "test_accuracy = 0.8,")
    )
    campaign.run([told["small"]], Record(), tmp_path)
    assert computed == EVERY
    other = experiment.rows_from(text.replace("epochs = 2", "epochs = 3"))
    campaign.run([other["small"]], Record(), tmp_path)
    assert computed == EVERY * 2


def test_an_interrupted_campaign_goes_on(rows, computed, tmp_path, monkeypatch):
    whole = cells.run

    def interrupted(**arguments):
        if len(computed) == 3:
            raise KeyboardInterrupt
        return whole(**arguments)

    monkeypatch.setattr(cells, "run", interrupted)
    result = campaign.run([rows["small"]], Record(), tmp_path)
    assert result.interrupted
    assert computed == EVERY[:3]
    monkeypatch.setattr(cells, "run", whole)
    result = campaign.run([rows["small"]], Record(), tmp_path)
    assert (result.computed, result.kept, result.interrupted) == (3, 3, False)
    assert computed == EVERY


def test_a_row_that_spreads_takes_ten_seeds(rows, computed, tmp_path):
    computed.accuracy = lambda seed: 0.9 + 0.0101 * seed
    result = campaign.run([rows["small"]], Record(), None)
    assert result.computed == 20
    quick = campaign.run([rows["small"]], Record(), None, quick=True)
    assert quick.computed == 6
    computed.accuracy = lambda seed: 0.9 + 0.0099 * seed
    assert campaign.run([rows["small"]], Record(), None).computed == 6


@pytest.mark.parametrize(
    "differences",
    [
        pytest.param((0.008, 0.003, 0.001), id="0.4 points by three pairs, 0.12 by ten"),
        pytest.param((0.001, 0.0011, 0.0012), id="small, but no chance by three pairs alone"),
    ],
)
def test_backends_that_seem_to_differ_take_ten_seeds(rows, computed, monkeypatch, differences):
    whole = cells.run

    def unlike(**arguments):
        result = whole(**arguments)
        if arguments["backend"] == "keras" and arguments["seed"] < 3:
            result["figures"]["inference"]["test_accuracy"] += differences[arguments["seed"]]
        return result

    monkeypatch.setattr(cells, "run", unlike)
    result = campaign.run([rows["small"]], Record(), None)
    assert result.computed == 20
    first = summarise(
        rows["small"], result.record.only(key for key, entry in result.record.entries.items() if entry.seed < 3)
    )
    assert not first.agrees
    assert (first.seeds, first.wanted) == (3, 10)
    assert summarise(rows["small"], result.record).agrees


@pytest.mark.parametrize("again", [False, True])
def test_what_ten_seeds_leave_in_doubt_takes_ten_fresh_ones(rows, computed, monkeypatch, again):
    whole = cells.run

    def unlike(**arguments):
        result = whole(**arguments)
        if arguments["backend"] == "keras" and (again or arguments["seed"] < 10):
            result["figures"]["inference"]["test_accuracy"] += 0.001
        return result

    monkeypatch.setattr(cells, "run", unlike)
    result = campaign.run([rows["small"]], Record(), None)
    assert result.computed == 40
    assert [seed for _, seed in computed[20:]] == [seed for seed in range(20, 30) for _ in range(2)]
    assert summarise(rows["small"], result.record).agrees is not again
    known = {one.key for one in campaign.all_cells([rows["small"]])}
    assert set(result.record.entries) < known
    assert campaign.run([rows["small"]], Record(), None, quick=True).computed == 6


def test_only_the_variants_in_doubt_take_fresh_seeds(rows, computed, monkeypatch):
    whole = cells.run
    small = rows["small"]
    two = dataclasses.replace(small, variants=(*small.variants, dataclasses.replace(small.variants[0], name="second")))

    def unlike(**arguments):
        result = whole(**arguments)
        if arguments["backend"] == "keras" and arguments["experiment"]["variant"]["name"] == "second":
            result["figures"]["inference"]["test_accuracy"] += 0.001
        return result

    monkeypatch.setattr(cells, "run", unlike)
    assert campaign.run([two], Record(), None).computed == 60


def test_with_two_jobs_the_first_seed_has_the_machine_for_itself(rows, computed, tmp_path, monkeypatch):
    used = []

    def here(cells, directory, jobs, prepare):
        used.extend((one.arguments["seed"], jobs, one.arguments["threads"]) for one in cells)
        return run_tasks(cells, directory, 1)

    monkeypatch.setattr(campaign, "run_tasks", here)
    result = campaign.run([rows["small"]], Record(), tmp_path, jobs=2)
    assert computed == EVERY
    assert used == [(0, 1, 2)] * 2 + [(1, 2, 1)] * 2 + [(2, 2, 1)] * 2
    summary = summarise(rows["small"], result.record)
    assert summary.seeds == 3
    assert summary.seconds["first"] == {"numpy": [1.0], "keras": [1.0]}
    again = campaign.run([rows["small"]], Record(), tmp_path, jobs=2)
    assert (again.computed, again.kept) == (0, 6)
    alone = campaign.run([rows["small"]], again.record, tmp_path)
    assert (alone.computed, alone.kept) == (4, 2), "a campaign of one job measures every seed"
    assert summarise(rows["small"], alone.record).seconds["first"]["keras"] == [1.0] * 3


def test_a_failing_cell_is_told_and_the_rest_goes_on(rows, computed, tmp_path, monkeypatch):
    whole = cells.run

    def failing(**arguments):
        if arguments["seed"] == 1 and arguments["backend"] == "keras":
            raise ValueError("broken")
        return whole(**arguments)

    monkeypatch.setattr(cells, "run", failing)
    result = campaign.run([rows["small"]], Record(), tmp_path)
    assert len(result.failed) == 1
    assert "small: first, keras, seed 1" in result.failed[0]
    assert "ValueError: broken" in result.failed[0]
    assert result.computed == 5


def test_rows_without_their_data_are_left_out(rows, computed, monkeypatch):
    monkeypatch.setattr(slices, "missing", lambda name: "not found" if name == "mnist" else None)
    result = campaign.run(list(rows.values()), Record(), None)
    assert result.left_out == {"other": "not found"}
    assert computed == EVERY


def test_missing_says_how_to_get_it(monkeypatch, tmp_path):
    for variable in ("CROSSCHECK_DATA", "KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert slices.missing("digits") is None
    assert "data set 'mnist' was not found" in slices.missing("mnist")
    assert "set CROSSCHECK_DATA" in slices.missing("mnist")


@pytest.fixture
def command(rows, computed, monkeypatch, tmp_path):
    """The command in an empty directory, with the two small rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "load_rows", lambda: rows)
    monkeypatch.setattr(reproduce, "prepare", lambda options: 2)
    monkeypatch.setattr(slices, "missing", lambda name: "data set 'mnist' was not found" if name == "mnist" else None)
    return computed


def test_the_command_runs_rows_and_says_what_it_left_out(command, capsys):
    assert main(["reproduce", "all"]) == 0
    printed = capsys.readouterr()
    assert "small: 3 seeds, the backends agree" in printed.out
    assert "left out, other: data set 'mnist' was not found" in printed.out
    assert "small: first, keras, seed 2" in printed.err
    assert main(["reproduce", "small", "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert json.loads(printed.out)["kept"] == 6
    assert json.loads(printed.out)["rows"][0]["agrees"]


def test_an_unknown_row_lists_the_known_ones(command, capsys):
    assert main(["reproduce", "typo"]) == CANNOT_COMPARE
    assert "unknown row typo; known are all, quick, small, other" in capsys.readouterr().err


def test_nothing_to_run_is_no_agreement(command):
    assert main(["reproduce", "other"]) == CANNOT_COMPARE


def test_backends_that_differ_are_exit_code_1(command, monkeypatch):
    whole = cells.run

    def unlike(**arguments):
        result = whole(**arguments)
        if arguments["backend"] == "keras":
            result["figures"]["inference"]["test_accuracy"] += 0.004
        return result

    monkeypatch.setattr(cells, "run", unlike)
    assert main(["reproduce", "small"]) == 1


def test_an_interruption_is_exit_code_130(command, monkeypatch, capsys):
    def interrupted(**arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "run", interrupted)
    assert main(["reproduce", "small"]) == INTERRUPTED
    assert "finished cells are kept in runs/reproduction, the same command goes on" in capsys.readouterr().out
