"""The facts about the machine: complete, plain, and found without loading what is heavy."""

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import datetime

import numpy as np

from benchmarks import environment

TWO_CORES_FOUR_THREADS = "\n\n".join(
    f"processor\t: {thread}\nmodel name\t: Example CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: {thread % 2}\n"
    f"flags\t\t: fpu sse2 avx2 avx512f"
    for thread in range(4)
)


def test_everything_is_there_and_plain():
    facts = environment.describe()
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == {
        "date",
        "python",
        "platform",
        "cpu",
        "numpy",
        "blas",
        "versions",
        "variables",
        "commit",
    }
    assert facts["numpy"] == np.__version__
    assert datetime.fromisoformat(facts["date"]).utcoffset().total_seconds() == 0
    assert facts["cpu"]["logical_cores"] == os.cpu_count()
    assert set(facts["versions"]) >= {"tensorflow", "keras", "scikit-learn"}
    assert set(facts["variables"]) >= {"OPENBLAS_CORETYPE", "TF_ENABLE_ONEDNN_OPTS"}
    assert facts["blas"][0]["library"]


def test_versions_are_read_without_importing(monkeypatch):
    code = (
        "import sys; from benchmarks import environment; facts = environment.describe(); "
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=environment._PROJECT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"

    def version(name):
        if name == "tensorflow-cpu":
            return "2.99"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    versions = environment.describe()["versions"]
    assert (versions["tensorflow"], versions["keras"]) == ("2.99", None)


def test_the_environment_variables_are_those_of_now(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    variables = environment.describe()["variables"]
    assert (variables["OPENBLAS_CORETYPE"], variables["TF_ENABLE_ONEDNN_OPTS"]) == ("Haswell", None)


def test_the_processor_is_read_from_its_description():
    facts = environment.cpu(TWO_CORES_FOUR_THREADS)
    assert (facts["model"], facts["physical_cores"], facts["avx512"]) == ("Example CPU @ 2.00GHz", 2, True)
    assert environment.cpu(TWO_CORES_FOUR_THREADS.replace(" avx512f", ""))["avx512"] is False


def test_a_machine_without_a_description():
    facts = environment.cpu("")
    assert (facts["physical_cores"], facts["avx512"]) == (None, None)
    assert facts["logical_cores"] == os.cpu_count()


def test_blas_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    (library,) = environment.blas()
    assert set(library) == {"library", "version", "core", "threads"}
    assert library["library"]


def test_the_commit_is_that_of_the_project(tmp_path, monkeypatch):
    assert environment.commit(tmp_path) is None

    answers = {"rev-parse": "0123abcd", "status": ""}
    monkeypatch.setattr(environment, "_git", lambda directory, command, *rest: answers[command])
    (tmp_path / ".git").mkdir()
    assert environment.commit(tmp_path) == "0123abcd"
    answers["status"] = " M README.md"
    assert environment.commit(tmp_path) == "0123abcd (modified)"


def test_no_git_is_no_error(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()

    def missing(*arguments):
        raise FileNotFoundError("git")

    monkeypatch.setattr(environment, "_git", missing)
    assert environment.commit(tmp_path) is None


def test_who_keeps_the_processors_busy(tmp_path, monkeypatch):
    #        user nice system idle iowait irq softirq steal guest
    before = "cpu  100 0 50 1000 10 0 0 0 7\ncpu0 1 2 3\n"
    after = "cpu  130 0 60 1050 20 0 0 0 9\ncpu0 1 2 3\n"
    texts = [before, after]
    monkeypatch.setattr(environment, "_read_text", lambda path: texts.pop(0))
    assert environment.busy_share(0) == 0.4
    for nothing in ("", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9"):
        texts = [nothing, nothing]
        assert environment.busy_share(0) is None
