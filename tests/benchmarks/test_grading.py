"""Grading: the course's solutions earn all points, typical mistakes get their cause, and bad code ends in words."""

import contextlib
import ctypes
import json
import re
import textwrap
import time
import tomllib
from pathlib import Path

import nbformat
import pytest

from benchmarks.cli import main
from benchmarks.grading import results
from benchmarks.grading.answering import names_of
from benchmarks.grading.assignment import load_assignment
from benchmarks.grading.cells import CaseFailedError, assert_case
from benchmarks.grading.judging import judge_case, judge_submission, seed_of

COURSE = Path(__file__).parents[2] / "docs" / "teaching"
ASSIGNMENTS = sorted(path.parent.name for path in COURSE.glob("*/assignment.toml"))
WRONG = tomllib.loads((COURSE / "wrong_submissions.toml").read_text())["wrong"]
AFFINE = COURSE / "1_affine" / "assignment.toml"


def wrong_file(wrong, path):
    solution = (COURSE / wrong["assignment"] / "solution.py").read_text()
    assert solution.count(wrong["replace"]) >= 1
    path.write_text(solution.replace(wrong["replace"], wrong["by"], 1))
    return path


@pytest.mark.parametrize("name", ASSIGNMENTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_solutions_earn_all_points(name, seed):
    names = names_of(COURSE / name / "solution.py")
    for case in load_assignment(COURSE / name / "assignment.toml").cases:
        outcome = judge_case(case, names, seed)
        assert outcome.points == outcome.most, outcome.text


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong['case']}-{wrong['cause']}")
def test_typical_mistakes_get_their_cause(wrong, tmp_path):
    assignment = load_assignment(COURSE / wrong["assignment"] / "assignment.toml")
    path = wrong_file(wrong, tmp_path / "submission.py")
    names = names_of(path)
    for case, outcome in zip(assignment.cases, judge_submission(path, assignment, "five"), strict=True):
        assert (outcome.points < outcome.most) == (case.name == wrong["case"])
        if case.name == wrong["case"]:
            explained = [line for line in outcome.text.splitlines() if line.startswith("explained")]
            assert wrong["cause"] in explained[0]
            assert "explained" not in judge_case(case, names, 5, hints=1).text


def test_there_are_twelve_of_them():
    assert len(WRONG) >= 12
    assert {wrong["assignment"] for wrong in WRONG} >= set(ASSIGNMENTS[:5])


BAD = {
    "a loop": ("while True:\n    pass", "took more than 1 s"),
    "a crash": ("import os\n\nos._exit(3)", "ended its process, as os._exit does (exit code 3)"),
    "wrong syntax": ("x = 1\n\ndef f(:\n    pass", "submission.py raised SyntaxError (line 3)"),
    "an exit with words": ("import sys\n\nsys.exit('bye')", "sys.exit('bye') (line 3)"),
    "an exception": ("raise KeyError('x')", "submission.py raised KeyError (line 1"),
    "an exit": ("raise SystemExit(0)", "ended its process"),
    "no syntax": ("def f(:", "submission.py raised SyntaxError"),
    "greed": ("import numpy as np\n\nx = np.ones(10**9)", "submission.py raised"),
    "no class": ("x = 1", "NameError"),
    "wrong arguments": ("class Affine:\n    pass", "TypeError"),
    "forward that raises": (
        "class Affine:\n    def __init__(self, W, b):\n        self.W, self.b = W, b\n"
        "    def forward(self, x):\n        return x @ self.nothing",
        "AttributeError",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_code_earns_nothing_and_says_why(kind, tmp_path):
    code, words = BAD[kind]
    (tmp_path / "submission.py").write_text(code)
    (tmp_path / "assignment.toml").write_text(
        f"seconds = 1\nmemory = 1024\n{AFFINE.read_text().split('[[case]]')[1].join(['[[case]]', ''])}"
    )
    assignment = load_assignment(tmp_path / "assignment.toml")
    (outcome,) = judge_submission(tmp_path / "submission.py", assignment, "secret")
    assert outcome.points == 0
    assert words in outcome.text


AFFINE_OF_ZEROS = """
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        return 0 * (x @ self.W + self.b)
    def backward(self, dy):
        self.dW, self.db = self.W * 0, self.b * 0
        return dy @ self.W.T * 0
"""
RIGHT_AFFINE = (COURSE / "1_affine" / "solution.py").read_text()
ATTACKS = {
    "replaces NumPy": "import numpy as np\nnp.abs = np.max = np.linalg.norm = lambda *a, **k: 0.0\nnp.allclose = bool",
    "replaces builtins": "import builtins\nbuiltins.all = lambda found: True\nbuiltins.max = lambda *a, **k: 0",
    "replaces the judge": (
        "import sys, bridge\nfrom bridge.outside import layer_judge\n"
        "from bridge.outside.layer_report import LayerReport\n"
        "LayerReport.passed = True\nlayer_judge.judge = bridge.check_layer = lambda *a, **k: None\n"
        "for module in list(sys.modules.values()):\n    vars(module).pop('judge', None)"
    ),
    "looks for expected values": (
        "import gc, inspect, sys\n"
        "kinds = 'Expected', 'LayerJudge', 'Case', 'LayerReport'\n"
        "found = [o for o in gc.get_objects() if type(o).__name__ in kinds]\n"
        "names = {n for f in inspect.stack() for n in f.frame.f_locals} & {'seed', 'secret', 'expected', 'hints'}\n"
        "if found or names or any('secret' in a for a in sys.argv):\n    raise SystemExit('seen')"
    ),
    "speaks for its process": (
        "import gc, socket\n"
        "for one in [o for o in gc.get_objects() if isinstance(o, socket.socket)]:\n"
        "    one.sendall((9).to_bytes(8, 'little') + (9).to_bytes(4, 'little') + b'[\"value\"]')"
    ),
    "claims to be right": "import benchmarks.grading.answering as own\n"
    "own.Answers.answer = lambda *a: ('value', None, ())",
    "hands code over": (
        "import benchmarks.grading.answering as own, pickle\n"
        "own.Answers.answer = lambda *a: ('value', pickle.dumps(print), ())"
    ),
    "writes into what it was given": (
        "import numpy as np\nimport benchmarks.grading.answering as own\nkept = own.Answers.answer\n"
        "own.Answers.answer = lambda s, q: (*kept(s, q)[:2], tuple((n, 0) for n in range(-40, 0)))"
    ),
    "ends itself": "import os\nAffine_ = 1\ndef __getattr__(name):\n    os._exit(0)\nos._exit(0)",
    "gives very much": "import numpy as np\nclass Affine:\n"
    "    W, b, forward = None, None, lambda s, x: np.zeros(2**28)",
}


@pytest.mark.parametrize("name", list(ATTACKS))
def test_attacks_earn_nothing(name, tmp_path):
    path = tmp_path / "submission.py"
    path.write_text(ATTACKS[name] + "\n" + AFFINE_OF_ZEROS * (name != "gives very much"))
    started = time.monotonic()
    outcome = judge_submission(path, load_assignment(AFFINE), "s")[0]
    assert outcome.points == 0 and outcome.verdict != "AGREE"
    assert time.monotonic() - started < 20
    assert "seen" not in outcome.text


STYLES = {
    "columns": (
        """
class Made:
    def __init__(self):
        self.weights, self.biases = np.zeros((5, 6)), np.zeros((5, 1))
    def feedforward(self, a):
        self.a = a
        return self.weights @ a + self.biases
    def backprop(self, delta):
        self.nabla_weights, self.nabla_biases = delta @ self.a.T, delta.sum(1, keepdims=True)
        return self.weights.T @ delta
""",
        "layer = { type = 'Dense', units = 5 }\ninput_shape = [6]",
    ),
    "a cache, parameters in a dict, positional": (
        """
class Made:
    def __init__(self):
        self.params = {"W": np.zeros((6, 5)), "b": np.zeros(5)}
    def forward(self, x):
        return x @ self.params["W"] + self.params["b"], {"x": x, "W": self.params["W"]}
    def backward(self, dout, cache):
        return dout @ cache["W"].T, {"dW": cache["x"].T @ dout, "db": dout.sum(0)}
""",
        "layer = { type = 'Dense', units = 5 }\ninput_shape = [6]",
    ),
    "parameter objects": (
        """
class P:
    def __init__(self, data):
        self.data, self.grad = data, None
class Made:
    def __init__(self):
        self.weight, self.bias = P(np.zeros((6, 5))), P(np.zeros(5))
    def __call__(self, x):
        self.x = x
        return x @ self.weight.data + self.bias.data
    def backward(self, dout):
        self.weight.grad, self.bias.grad = self.x.T @ dout, dout.sum(0)
        return dout @ self.weight.data.T
""",
        "layer = { type = 'Dense', units = 5 }\ninput_shape = [6]",
    ),
    "backward updates": (
        """
class Made:
    def __init__(self):
        self.W, self.b = np.zeros((6, 5)), np.zeros(5)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad, lr):
        dx = grad @ self.W.T
        self.W -= lr * self.x.T @ grad
        self.b -= lr * grad.sum(0)
        return dx
""",
        "layer = { type = 'Dense', units = 5 }\ninput_shape = [6]",
    ),
    "slots by the identity of the array": (
        """
class Made:
    def __init__(self):
        self.v = {}
    def step(self, params, grads):
        for w, g in zip(params, grads):
            self.v[id(w)] = 0.9 * self.v.get(id(w), 0) - 0.1 * g
            w += self.v[id(w)]
""",
        "optimizer = { type = 'SGD', learning_rate = 0.1, momentum = 0.9 }",
    ),
    "new parameters returned": (
        """
class Made:
    def __init__(self):
        self.v = {}
    def update(self, grads, params):
        for name in params:
            self.v[name] = 0.9 * self.v.get(name, 0) - 0.1 * grads[name]
        return {name: params[name] + self.v[name] for name in params}
""",
        "optimizer = { type = 'SGD', learning_rate = 0.1, momentum = 0.9 }",
    ),
    "targets first, a function": (
        """
def Made():
    def loss(y_true, y_pred):
        return ((y_pred - y_true) ** 2).mean(), 2 * (y_pred - y_true) / y_true.size
    return loss
""",
        "loss = 'mean_squared_error'",
    ),
}


@pytest.mark.parametrize("style", list(STYLES))
def test_styles_are_taken_from_another_process(style, tmp_path):
    code, claim = STYLES[style]
    (tmp_path / "submission.py").write_text("import numpy as np\n" + code)
    (tmp_path / "assignment.toml").write_text(f"[[case]]\nname = 'a'\nmake = 'Made()'\n{claim}\n")
    (outcome,) = judge_submission(tmp_path / "submission.py", load_assignment(tmp_path / "assignment.toml"), "s")
    assert outcome.points == 1, outcome.text


def test_a_right_submission_with_a_thread_that_goes_on_is_graded(tmp_path):
    path = tmp_path / "submission.py"
    path.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n" + RIGHT_AFFINE)
    assert [outcome.points for outcome in judge_submission(path, load_assignment(AFFINE), "s")] == [10, 5, 5]


def test_no_gradient_is_no_right_gradient(tmp_path):
    path = tmp_path / "submission.py"
    path.write_text(RIGHT_AFFINE.replace("def backward", "def _hidden"))
    assert [outcome.points for outcome in judge_submission(path, load_assignment(AFFINE), "s")] == [2, 2.5, 2.5]


def test_a_submission_sees_no_variable_of_the_environment_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "abc")
    path = tmp_path / "submission.py"
    path.write_text(
        "import os, sys\nassert 'SOME_TOKEN' not in os.environ and sys.argv == ['-c'], sys.argv\n" + RIGHT_AFFINE
    )
    assert judge_submission(path, load_assignment(AFFINE), "s")[0].points == 10


def test_results_are_written_when_no_submission_runs(tmp_path, capsys):
    """A submission that writes into another's results, also from a process that has left its group."""
    results_of = tmp_path / "out" / "a_right" / "results.json"
    (tmp_path / "a_right.py").write_text(RIGHT_AFFINE)
    (tmp_path / "b_writes.py").write_text(
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    os.environ.clear()\n"
        "    if os.fork() == 0:\n        for _ in range(99):\n"
        f"            os.makedirs({str(results_of.parent)!r}, exist_ok=True)\n"
        f"            open({str(results_of)!r}, 'w').write('gone')\n            time.sleep(0.05)\n    os._exit(0)\n"
        + RIGHT_AFFINE
    )
    paths = [str(tmp_path / "a_right.py"), str(tmp_path / "b_writes.py")]
    main(["grade", str(AFFINE), *paths, "--output", str(tmp_path / "out"), "--secret", "s"])
    time.sleep(0.3)
    assert json.loads(results_of.read_text())["score"] == 20


WITHOUT_A_LINE = {
    "no class": ("x = 1", r"^Made\(\) raised NameError: name 'Made' is not defined"),
    "no dy": (
        "class Made:\n    def forward(self, x):\n        return x * (x > 0)\n    def backward(self):\n        return 1",
        r"backward\(dy\) could not be called: .*takes 1 positional argument but 2 were given; call=",
    ),
}


@pytest.mark.parametrize("kind", list(WITHOUT_A_LINE))
def test_no_line_of_the_grader_is_shown(kind, tmp_path):
    code, words = WITHOUT_A_LINE[kind]
    (tmp_path / "a.py").write_text(code)
    (tmp_path / "a.toml").write_text(
        "[[case]]\nname = 'a'\nmake = 'Made()'\ninput_shape = 3\nlayer = { type = 'Activation', activation = 'relu' }"
    )
    (outcome,) = judge_submission(tmp_path / "a.py", load_assignment(tmp_path / "a.toml"), "s")
    assert re.search(words, outcome.text), outcome.text
    assert ", line " not in outcome.text and "(line " not in outcome.text


LOOPS = {
    "in Python": "while True: pass",
    "asleep": "import time; time.sleep(60)",
    "that ignores its limit": "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n        while True: pass",
}


@pytest.mark.parametrize("kind", list(LOOPS))
def test_the_first_case_that_takes_too_long_ends_the_submission(kind, tmp_path, capsys):
    (tmp_path / "a.py").write_text(
        "class Relu:\n    def forward(self, x):\n        return x * (x > 0)\n"
        f"class Sigmoid:\n    def forward(self, x):\n        {LOOPS[kind]}\n"
    )
    cases = [("relu", "Relu"), ("sigmoid", "Sigmoid"), ("tanh", "Tanh"), ("elu", "Relu")]
    (tmp_path / "a.toml").write_text(
        "seconds = 1\n"
        + "".join(
            f"[[case]]\nname = '{name}'\nmake = '{made}()'\ninput_shape = 3\n"
            f"layer = {{ type = 'Activation', activation = '{name}' }}\npoints = {{ y = 1 }}\n"
            for name, made in cases
        )
    )
    started = time.monotonic()
    outcomes = judge_submission(tmp_path / "a.py", load_assignment(tmp_path / "a.toml"), "s")
    assert time.monotonic() - started < 8
    assert [outcome.points for outcome in outcomes] == [1, 0, 0, 0]
    assert [outcome.text for outcome in outcomes[1:]] == [
        "it took more than 1 s and was ended",
        *["not judged: in the case 'sigmoid' it took more than 1 s and was ended"] * 2,
    ]


def running(words):
    """Processes whose command has these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if words in (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode():
                found.append(folder.name)
    return found


def test_nothing_is_left_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "submission.py"
    path.write_text(
        "import os, subprocess, sys\n"
        "for own in (False, True):\n"
        "    child = subprocess.Popen(['sleep', '77.25'], start_new_session=own)\n"
        "if os.fork() == 0:\n    os.setsid()\n    os.environ.clear()\n"
        "    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '77.25'])\n    os._exit(0)\n"
        "import time; time.sleep(0.3)\n"
        "open('left.txt', 'w').write('x')\n"
        "subprocess.run(['echo', 'bye'])\n" + RIGHT_AFFINE
    )
    outcome = judge_submission(path, load_assignment(AFFINE), "s")[0]
    assert outcome.points == 10, outcome.text
    assert [each.name for each in tmp_path.iterdir()] == ["submission.py"]
    assert running("sleep 77.25") == []
    assert "bye" not in "".join(capfd.readouterr())


def landlock():
    try:
        return ctypes.CDLL(None).syscall(444, None, 0, 1)
    except (OSError, AttributeError):
        return 0


@pytest.mark.skipif(landlock() < 6, reason="this kernel has no Landlock of version 6")
def test_a_submission_writes_in_its_own_folder_alone_and_reaches_nobody(tmp_path):
    path = tmp_path / "submission.py"
    target = str(tmp_path / "sitecustomize.py")
    path.write_text(
        "import os, socket, subprocess, tempfile\n"
        "def refused(what):\n    try:\n        what()\n    except OSError:\n        return True\n"
        f"assert refused(lambda: open({target!r}, 'w'))\n"
        f"assert refused(lambda: open({str(path)!r}, 'a'))\n"
        f"assert subprocess.run(['touch', {target!r}]).returncode\n"
        "assert refused(lambda: socket.create_connection(('127.0.0.1', 9), 1))\n"
        "assert refused(lambda: os.kill(os.getppid(), 0))\n"
        "assert refused(lambda: open(f'/proc/{os.getppid()}/mem', 'rb'))\n"
        "open('own', 'w').write('x')\ntempfile.NamedTemporaryFile()\nopen(os.devnull, 'w').write('x')\n" + RIGHT_AFFINE
    )
    outcome = judge_submission(path, load_assignment(AFFINE), "s")[0]
    assert outcome.points == 10, outcome.text
    assert [each.name for each in tmp_path.iterdir()] == ["submission.py"]


def test_the_command_writes_pages_and_results(tmp_path, capsys):
    right = tmp_path / "right.py"
    right.write_text((COURSE / "1_affine" / "solution.py").read_text() + "\nprint('loud')\n")
    wrong = wrong_file(WRONG[0], tmp_path / "wrong.py")
    command = ["grade", str(AFFINE), str(right), str(wrong), "--output", str(tmp_path / "out"), "--secret", "s"]
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert "right: 20 of 20 points" in shown
    assert "wrong: 18 of 20 points" in shown
    assert "loud" not in shown
    found = json.loads((tmp_path / "out" / "wrong" / "results.json").read_text())
    assert found["score"] == 18
    assert [test["score"] for test in found["tests"]] == [8, 5, 5]
    page = (tmp_path / "out" / "wrong" / "page.html").read_text()
    assert "18 of 20 points" in page
    assert "the sum is missing" in page
    assert main([*command[:3], *command[4:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["submissions"]["right"]["score"] == 20
    assert main(["grade", str(AFFINE), str(tmp_path / "none.py")]) == 2
    assert "none.py; give the paths of Python files" in capsys.readouterr().err


SUBMISSIONS = {
    "changed places": (["{}/a.py", "assignment"], r"a\.py is no assignment: the \.toml file comes first"),
    "a notebook": (["assignment", "{}/a.ipynb"], r"a\.ipynb is a notebook.*nbconvert --to script"),
    "a folder": (["assignment", "{}"], r"is a folder; give the paths of Python files, such as .*\*\.py"),
    "another file": (["assignment", "{}/a.txt"], r"a\.txt is no Python file; a submission's name ends in \.py"),
    "none": (["assignment", "{}/none.py"], r"no file .*none\.py; give the paths of Python files"),
}


@pytest.mark.parametrize("kind", list(SUBMISSIONS))
def test_what_is_no_submission_is_refused_in_one_sentence(kind, tmp_path, capsys):
    for name in ("a.py", "a.ipynb", "a.txt"):
        (tmp_path / name).write_text("{}")
    paths, words = SUBMISSIONS[kind]
    paths = [str(AFFINE) if path == "assignment" else path.format(tmp_path) for path in paths]
    assert main(["grade", *paths, "--output", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert re.search(words, shown.err)


def test_the_assignment_that_help_shows_grades(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["grade", "--help"])
    shown = capsys.readouterr().out.partition("hw1.toml:")[2].partition("positional")[0]
    assert len(shown.strip().splitlines()) == 7
    (tmp_path / "hw1.toml").write_text(shown)
    assert textwrap.dedent(shown).strip() in (COURSE / "index.md").read_text()
    path = COURSE / "1_affine" / "solution.py"
    assert main(["grade", str(tmp_path / "hw1.toml"), str(path), "--output", str(tmp_path / "out")]) == 0
    assert "10 of 10" in capsys.readouterr().out


def test_cells_for_nbgrader(tmp_path):
    path = tmp_path / "cells.ipynb"
    assert main(["grade", str(AFFINE), "--nbgrader", str(path)]) == 0
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert [cell.metadata.nbgrader.points for cell in notebook.cells] == [10, 5, 5]
    names = names_of(COURSE / "1_affine" / "solution.py")
    for cell in notebook.cells:
        exec(cell.source, dict(names))
    broken = names_of(wrong_file(WRONG[0], tmp_path / "w.py"))
    with pytest.raises(CaseFailedError, match="8 of 10 points(.|\n)*the sum is missing"):
        exec(notebook.cells[0].source, dict(broken))
    with pytest.raises(ValueError, match="no case 'x'"):
        assert_case(AFFINE, "x", {})


def test_thirty_submissions_take_less_than_two_minutes(tmp_path):
    """One is timed; the limit is far off."""
    assignment = load_assignment(AFFINE)
    judge_submission(COURSE / "1_affine" / "solution.py", assignment, "s")
    started = time.monotonic()
    outcomes = judge_submission(COURSE / "1_affine" / "solution.py", assignment, "s")
    assert results.total(outcomes) == 20
    assert 30 * (time.monotonic() - started) < 120


def test_seeds_follow_from_the_secret():
    assert seed_of("a", "affine") == seed_of("a", "affine") != seed_of("b", "affine")
    assert seed_of("a", "affine") != seed_of("a", "relu")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"has no \[\[case\]\]"),
        ("hints = 4\n[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'", "hints must be 1, 2 or 3, got 4"),
        ("[[case]]\nname = 'a'\nmake = 'a('\nloss = 'mse'", r"case 1 \(a\): '\(' was never closed"),
        ("[[case]]\nname = 'a'\nmake = 'a'", "exactly one of layer, loss, optimizer, network, got none"),
        ("[[case]]\nname = 'a'\nmake = 'a'\nlayer = { type = 'Dens' }\ninput_shape = [1]", "unknown type 'Dens'"),
        ("[[case]]\nname = 'a'\nmake = 'a'\nlayer = { type = 'Flatten' }", "needs input_shape"),
        ("[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'\npoint = 3", "unknown entries point; known are"),
        ("titel = 'x'", "unknown entries titel"),
        ("[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mes'", r"case 1 \(a\): unknown loss 'mes'"),
        ("[[case]]\nname = 'a'\nmake = 'a'\noptimizer = 'sgd'", "optimizer must be a table such as .*SGD.*got 'sgd'"),
        ("[[case]]\nname = 'a'\nmake = 'a'\noptimizer = { type = 'Dense', units = 1 }", "got the Dense"),
        ("[[case]]\nname = 'a'\nmake = 'a'\nnetwork = 'lenet'\ninput_shape = 4", "network must be a list of layers"),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nlayer = { type = 'Dense', units = 2 }\ninput_shape = 'six'",
            r"case 1 \(a\): input_shape must be a tuple such as .* got 'six'",
        ),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nlayer = { type = 'Conv2D', filters = 2, kernel_size = 3 }\n"
            "input_shape = 6",
            r"case 1 \(a\): .*\(6,\)",
        ),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'\npoints = { value = 3 }",
            "points of a loss has an unknown entry 'value'; it may have 'loss', 'gradient'",
        ),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'\noptions = { reducton = 'sum' }",
            r"case 1 \(a\): options of a loss has an unknown entry 'reducton' \(did you mean 'reduction'\?\)",
        ),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'\noptions = 3",
            "options must be a dict, got 3; its keys may be 'outputs'",
        ),
        ("[[case]]\nname = 'a'\nmake = 'a'\nloss = 'mse'\npoints = -1", "points must be"),
        (
            "[[case]]\nname = 'a'\nmake = 'a'\nlayer = { type = 'Dense', units = 2 }\ninput_shape = [1]\n"
            "points = { 'gradient of kernal' = 3 }",
            "points name gradient of kernal; the layer has .*gradient of kernel",
        ),
    ],
)
def test_a_wrong_assignment_is_named(text, words, tmp_path):
    path = tmp_path / "assignment.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        load_assignment(path)
