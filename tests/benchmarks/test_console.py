"""Tables and verdicts: aligned text in pipes, tables of rich on terminals, HTML in notebooks."""

import io
import os
import re
import subprocess
import sys

import pytest

from benchmarks import console
from benchmarks.tables import Table, as_html

TABLE = Table(["side", "ms"], [["NumPy", "1.25"], ["<Keras> [bold]", "10.5"]], "speed")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def show(*parts):
        # Within the test: pytest puts its own in place before it
        stream = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            console.show(*parts)
        return stream.getvalue()

    return show


def test_plain_table_is_aligned():
    assert TABLE.lines() == ["speed", "  side              ms", "  NumPy           1.25", "  <Keras> [bold]  10.5"]


def test_html_is_escaped():
    page = as_html([TABLE, "a < b"])
    assert '<td>&lt;Keras&gt; [bold]</td><td style="text-align: right">10.5</td>' in page
    assert page.endswith("<pre>a &lt; b</pre>")


def test_pipes_get_plain_text(capsys):
    console.show("AGREE: lenet", TABLE)
    assert capsys.readouterr().out == "AGREE: lenet\n" + "\n".join(TABLE.lines()) + "\n"


def test_terminals_get_tables_and_marked_verdicts(terminal):
    pytest.importorskip("rich")
    out = terminal("AGREE: lenet", "DIFFER: cnn", TABLE)
    assert "\x1b[1;32mAGREE\x1b[0m: lenet" in out
    assert "\x1b[1;31mDIFFER\x1b[0m: cnn" in out
    assert "<Keras> [bold]" in out
    assert "─" in out


def test_without_rich_terminals_get_plain_text(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert terminal("AGREE: lenet", TABLE) == "AGREE: lenet\n" + "\n".join(TABLE.lines()) + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_real_terminal_narrow_and_without_colour():
    import pty

    pytest.importorskip("rich")
    settings = {**os.environ, "TERM": "xterm", "COLUMNS": "50", "NO_COLOR": "1"}
    reading, writing = pty.openpty()
    command = [sys.executable, "-m", "benchmarks", "list"]
    process = subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE, env=settings)
    os.close(writing)
    out = b""
    while True:
        try:
            piece = os.read(reading, 65536)
        except OSError:
            # Linux says so where the other end was closed
            break
        if not piece:
            break
        out += piece
    os.close(reading)
    assert process.wait() == 0
    assert process.stderr.read() == b""
    process.stderr.close()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.decode()).splitlines()
    assert max(map(len, lines)) <= 50
    assert "networks" in lines[0]
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", out.decode())
