"""Tasks: computed once, kept whole, resumed for nothing; what raises or dies is reported and the rest goes on."""

import builtins
import json

import pytest

from bridge.fuzzing.task_runner import Task, run_tasks, source_version

# A function of the standard library whose result is another one each time shows what was computed and what was read
TASKS = [Task("secrets:token_hex", {"nbytes": size}) for size in (8, 9, 10, 11)]


def results(tasks, *arguments, **options):
    return {outcome.task.key: outcome.result for outcome in run_tasks(tasks, *arguments, **options)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_resume_computes_nothing_twice(tmp_path, n_jobs):
    first = results(TASKS[:2], tmp_path, n_jobs)
    outcomes = list(run_tasks(TASKS, tmp_path, n_jobs))
    assert sorted(outcome.kept for outcome in outcomes) == [False, False, True, True]
    second = {outcome.task.key: outcome.result for outcome in outcomes}
    assert {key: second[key] for key in first} == first
    assert results(TASKS, tmp_path, n_jobs) == second
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(task.key for task in TASKS)


def test_without_a_directory_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results(TASKS) != results(TASKS)
    assert not list(tmp_path.iterdir())


def test_a_campaign_that_is_left_keeps_what_has_finished(tmp_path):
    outcomes = run_tasks(TASKS, tmp_path)
    first = next(outcomes)
    outcomes.close()
    assert results(TASKS, tmp_path)[first.task.key] == first.result


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"result": 1}', "\xff"])
def test_an_unreadable_file_is_computed_again(tmp_path, damage):
    before = results(TASKS[:2], tmp_path)
    broken, whole = TASKS[:2]
    (tmp_path / f"{broken.key}.json").write_bytes(damage.encode("latin-1"))
    after = results(TASKS[:2], tmp_path)
    assert after[broken.key] != before[broken.key]
    assert after[whole.key] == before[whole.key]
    assert results(TASKS[:2], tmp_path) == after


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_cell_that_raises_is_recorded_and_tried_again(tmp_path, n_jobs):
    bad = Task("json:loads", {"s": "no json"})
    outcomes = {outcome.task.key: outcome for outcome in run_tasks([bad, *TASKS[:2]], tmp_path, n_jobs)}
    assert len(outcomes) == 3
    assert outcomes[bad.key].result is None
    assert "JSONDecodeError" in outcomes[bad.key].error
    assert all(outcomes[task.key].error is None for task in TASKS[:2])
    entry = json.loads((tmp_path / f"{bad.key}.json").read_text())
    assert entry["error"] == outcomes[bad.key].error
    again = next(run_tasks([bad], tmp_path, n_jobs))
    assert again.error is not None
    assert not again.kept


def test_results_that_are_no_json_and_functions_that_are_not_there_are_errors():
    tasks = [Task("pathlib:Path"), Task("json:nothing"), Task("no_such_module:name")]
    errors = [outcome.error for outcome in run_tasks(tasks)]
    for error, word in zip(errors, ("not JSON serializable", "AttributeError", "ModuleNotFoundError"), strict=True):
        assert word in error


@pytest.mark.parametrize("keep", [True, False])
def test_a_process_that_dies_is_that_cells_failure(tmp_path, keep):
    deaths = [Task("os:_exit", {"status": 7}), Task("os:_exit", {"status": 8})]
    tasks = [TASKS[0], deaths[0], *TASKS[1:3], deaths[1], TASKS[3]]
    outcomes = {outcome.task.key: outcome for outcome in run_tasks(tasks, tmp_path if keep else None, 2)}
    assert set(outcomes) == {task.key for task in tasks}
    for task in tasks:
        died = outcomes[task.key].error is not None
        assert died == (task in deaths), outcomes[task.key]
    assert "its process died" in outcomes[deaths[0].key].error
    assert "EXIT(7)" in outcomes[deaths[0].key].error
    if keep:
        assert "EXIT(8)" in json.loads((tmp_path / f"{deaths[1].key}.json").read_text())["error"]


def test_the_number_of_processes_changes_nothing():
    tasks = [Task("json:dumps", {"obj": list(range(size))}) for size in range(6)]
    assert (
        results(tasks, n_jobs=1) == results(tasks, n_jobs=2) == {c.key: json.dumps(c.arguments["obj"]) for c in tasks}
    )


def test_a_process_that_has_grown_is_replaced(tmp_path):
    pytest.importorskip("psutil", reason="joblib looks at the memory of its processes with it")
    pids = tmp_path / "pids"
    # 400 MB are more than joblib lets a process grow between two tasks; it looks once a second
    grow = (
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(1.1); "
        "sys.grown = [*getattr(sys, 'grown', []), b'x' * 400_000_000]"
    )
    tasks = [
        Task("timeit:timeit", {"stmt": grow, "setup": f"import os, sys, time; {n}", "number": 1}) for n in range(6)
    ]
    outcomes = list(run_tasks(tasks, n_jobs=2))
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert len(set(pids.read_text().split())) > 2


def test_processes_have_one_thread(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    task = Task("os:getenv", {"key": "OPENBLAS_NUM_THREADS"})
    assert next(run_tasks([task, task], n_jobs=2)).result == "1"


def test_the_key_holds_everything_the_result_depends_on():
    task = Task("json:dumps", {"obj": 1, "indent": 2}, "a")
    assert task.key == Task("json:dumps", {"indent": 2, "obj": 1}, "a").key
    others = [
        Task("json:loads", task.arguments, "a"),
        Task("json:dumps", {"obj": 1}, "a"),
        Task(task.function, task.arguments, "b"),
    ]
    assert len({other.key for other in [task, *others]}) == 4
    assert len(source_version()) == 64


def test_no_processes_are_refused():
    with pytest.raises(ValueError, match="n_jobs must be an integer of at least 1, got 0"):
        next(run_tasks(TASKS, n_jobs=0))


def test_without_joblib_the_error_says_what_to_install(monkeypatch):
    importing = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "joblib":
            raise ModuleNotFoundError("No module named 'joblib'", name="joblib")
        return importing(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'joblib is missing\): pip install "crosscheck\[test\]"'):
        next(run_tasks(TASKS, n_jobs=2))
