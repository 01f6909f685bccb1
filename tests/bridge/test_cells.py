"""Cells: computed once, kept whole, resumed for nothing; what raises or dies is reported and the rest goes on."""

import builtins
import json

import pytest

from bridge.fuzzing.task_runner import Cell, run_cells, source_version

# A function of the standard library whose result is another one each time shows what was computed and what was read
CELLS = [Cell("secrets:token_hex", {"nbytes": size}) for size in (8, 9, 10, 11)]


def results(cells, *arguments, **options):
    return {outcome.cell.key: outcome.result for outcome in run_cells(cells, *arguments, **options)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_resume_computes_nothing_twice(tmp_path, n_jobs):
    first = results(CELLS[:2], tmp_path, n_jobs)
    outcomes = list(run_cells(CELLS, tmp_path, n_jobs))
    assert sorted(outcome.kept for outcome in outcomes) == [False, False, True, True]
    second = {outcome.cell.key: outcome.result for outcome in outcomes}
    assert {key: second[key] for key in first} == first
    assert results(CELLS, tmp_path, n_jobs) == second
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(cell.key for cell in CELLS)


def test_without_a_directory_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results(CELLS) != results(CELLS)
    assert not list(tmp_path.iterdir())


def test_a_campaign_that_is_left_keeps_what_has_finished(tmp_path):
    outcomes = run_cells(CELLS, tmp_path)
    first = next(outcomes)
    outcomes.close()
    assert results(CELLS, tmp_path)[first.cell.key] == first.result


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"result": 1}', "\xff"])
def test_an_unreadable_file_is_computed_again(tmp_path, damage):
    before = results(CELLS[:2], tmp_path)
    broken, whole = CELLS[:2]
    (tmp_path / f"{broken.key}.json").write_bytes(damage.encode("latin-1"))
    after = results(CELLS[:2], tmp_path)
    assert after[broken.key] != before[broken.key]
    assert after[whole.key] == before[whole.key]
    assert results(CELLS[:2], tmp_path) == after


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cell_that_raises_is_recorded_and_tried_again(tmp_path, n_jobs):
    bad = Cell("json:loads", {"s": "no json"})
    outcomes = {outcome.cell.key: outcome for outcome in run_cells([bad, *CELLS[:2]], tmp_path, n_jobs)}
    assert len(outcomes) == 3
    assert outcomes[bad.key].result is None
    assert "JSONDecodeError" in outcomes[bad.key].error
    assert all(outcomes[cell.key].error is None for cell in CELLS[:2])
    entry = json.loads((tmp_path / f"{bad.key}.json").read_text())
    assert entry["error"] == outcomes[bad.key].error
    again = next(run_cells([bad], tmp_path, n_jobs))
    assert again.error is not None
    assert not again.kept


def test_results_that_are_no_json_and_functions_that_are_not_there_are_errors():
    cells = [Cell("pathlib:Path"), Cell("json:nothing"), Cell("no_such_module:name")]
    errors = [outcome.error for outcome in run_cells(cells)]
    for error, word in zip(errors, ("not JSON serializable", "AttributeError", "ModuleNotFoundError"), strict=True):
        assert word in error


@pytest.mark.parametrize("keep", [True, False])
def test_a_process_that_dies_is_that_cells_failure(tmp_path, keep):
    deaths = [Cell("os:_exit", {"status": 7}), Cell("os:_exit", {"status": 8})]
    cells = [CELLS[0], deaths[0], *CELLS[1:3], deaths[1], CELLS[3]]
    outcomes = {outcome.cell.key: outcome for outcome in run_cells(cells, tmp_path if keep else None, 2)}
    assert set(outcomes) == {cell.key for cell in cells}
    for cell in cells:
        died = outcomes[cell.key].error is not None
        assert died == (cell in deaths), outcomes[cell.key]
    assert "its process died" in outcomes[deaths[0].key].error
    assert "EXIT(7)" in outcomes[deaths[0].key].error
    if keep:
        assert "EXIT(8)" in json.loads((tmp_path / f"{deaths[1].key}.json").read_text())["error"]


def test_the_number_of_processes_changes_nothing():
    cells = [Cell("json:dumps", {"obj": list(range(size))}) for size in range(6)]
    assert (
        results(cells, n_jobs=1) == results(cells, n_jobs=2) == {c.key: json.dumps(c.arguments["obj"]) for c in cells}
    )


def test_a_process_that_has_grown_is_replaced(tmp_path):
    pytest.importorskip("psutil", reason="joblib looks at the memory of its processes with it")
    pids = tmp_path / "pids"
    # 400 MB are more than joblib lets a process grow between two cells; it looks once a second
    grow = (
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(1.1); "
        "sys.grown = [*getattr(sys, 'grown', []), b'x' * 400_000_000]"
    )
    cells = [
        Cell("timeit:timeit", {"stmt": grow, "setup": f"import os, sys, time; {n}", "number": 1}) for n in range(6)
    ]
    outcomes = list(run_cells(cells, n_jobs=2))
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert len(set(pids.read_text().split())) > 2


def test_processes_have_one_thread():
    cell = Cell("os:getenv", {"key": "OPENBLAS_NUM_THREADS"})
    assert next(run_cells([cell, cell], n_jobs=2)).result == "1"


def test_the_key_holds_everything_the_result_depends_on():
    cell = Cell("json:dumps", {"obj": 1, "indent": 2}, "a")
    assert cell.key == Cell("json:dumps", {"indent": 2, "obj": 1}, "a").key
    others = [
        Cell("json:loads", cell.arguments, "a"),
        Cell("json:dumps", {"obj": 1}, "a"),
        Cell(cell.function, cell.arguments, "b"),
    ]
    assert len({other.key for other in [cell, *others]}) == 4
    assert len(source_version()) == 64


def test_no_processes_are_refused():
    with pytest.raises(ValueError, match="n_jobs must be an integer of at least 1, got 0"):
        next(run_cells(CELLS, n_jobs=0))


def test_without_joblib_the_error_says_what_to_install(monkeypatch):
    importing = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "joblib":
            raise ModuleNotFoundError("No module named 'joblib'", name="joblib")
        return importing(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'joblib is missing\): pip install "crosscheck\[test\]"'):
        next(run_cells(CELLS, n_jobs=2))
