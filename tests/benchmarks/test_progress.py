"""Progress: rates and time left, bars on terminals of any width, lines elsewhere, with and without rich."""

import io
import re

import pytest

from benchmarks.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Moves on by a second at each look."""

    def __init__(self, step=1.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


@pytest.fixture
def without_rich(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)


def shown(stream, calls, step=1.0):
    with Progress(stream, Clock(step)) as show:
        for call in calls:
            show(*call)
    return stream.getvalue()


def test_lines_with_rate_and_time_left():
    lines = shown(io.StringIO(), [("cells", done, 10) for done in (1, 2, 3)], step=0.5).splitlines()
    assert lines == ["1/10 cells", "2/10, 2.0/s, 4 s left cells", "3/10, 2.0/s, 4 s left cells"]


def test_slow_work_is_told_as_time_for_each():
    lines = shown(io.StringIO(), [("seeds", done, 10) for done in (0, 1)], step=90).splitlines()
    assert lines[1] == "1/10, 1 min 30 s each, 13 min 30 s left seeds"


def test_stages_without_a_count_are_a_line():
    assert shown(io.StringIO(), [("comparing",), ("timing",)]) == "comparing\ntiming\n"


def test_a_new_count_begins_a_new_rate():
    calls = [("a", 1, 100), ("a", 90, 100), ("b", 1, 5), ("b", 2, 5)]
    assert shown(io.StringIO(), calls).splitlines()[-1] == "2/5, 1.0/s, 3 s left b"


def test_a_burst_of_kept_results_is_forgotten():
    clock = Clock(0.0)
    stream = io.StringIO()
    with Progress(stream, clock) as show:
        for done in range(500):
            show("cells", done, 1000)
        clock.step = 2.0
        for done in range(500, 540):
            show("cells", done, 1000)
    assert stream.getvalue().splitlines()[-1].startswith("539/1000, 2 s each, 15 min 22 s left")


@pytest.mark.parametrize("rich", [True, False])
def test_a_block_left_to_print_is_entered_again(terminal, monkeypatch, rich):
    if rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    show = Progress(terminal, Clock())
    for done in (0, 1, 2):
        with show:
            show("seeds", done, 4)
        terminal.write(f"report {done}\n")
    lines = [line.strip() for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()))]
    assert [line for line in lines if line.startswith("report")] == ["report 0", "report 1", "report 2"]
    assert "2/4, 1.0/s, 2 s left" in " ".join(lines)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_plain_bar_keeps_the_width_and_clears_its_line(terminal, without_rich, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = shown(terminal, [("a network with a rather long name, batch 128", done, 8) for done in (2, 4)])
    first, second, end = out.removeprefix("\r\x1b[2K").split("\r\x1b[2K")
    assert first.startswith("[=====     ")
    assert second.startswith("[==========     ")
    assert max(len(first), len(second)) < columns
    assert end == ""


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_rich_bar_keeps_the_width(terminal, monkeypatch, columns):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", str(columns))
    out = shown(terminal, [("a network with a rather long name, batch 128", done, 8) for done in (2, 4)])
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out))
    assert any("4/8" in line for line in lines)
    assert max(map(len, lines)) <= columns


def test_no_color_is_honoured(terminal, monkeypatch):
    pytest.importorskip("rich")
    colours = r"\x1b\[[0-9;]*3[0-9]"
    assert re.search(colours, shown(terminal, [("cells", 3, 8)]))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    assert not re.search(colours, shown(plain, [("cells", 3, 8)]))


def test_a_dumb_terminal_gets_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert shown(terminal, [("cells", 3, 8)]) == "3/8 cells\n"
