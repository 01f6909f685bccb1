"""The line of an epoch, on a terminal and elsewhere."""

import io
import sys

import pytest

from model_spec.progress import print_epoch


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    def show(stream, epoch=2):
        monkeypatch.setattr(sys, "stderr", stream)
        print_epoch(epoch, 10, {"loss": 0.5, "accuracy": 0.25}, 1.5)
        return stream.getvalue()

    return show


def test_a_line_an_epoch_where_there_is_no_terminal(shown):
    assert shown(io.StringIO()) == "epoch 3/10 loss=0.5000 accuracy=0.2500 (1.5 s, 10 s left)\n"
    assert shown(io.StringIO(), epoch=9) == "epoch 10/10 loss=0.5000 accuracy=0.2500 (1.5 s)\n"


def test_a_bar_on_a_terminal_no_wider_than_it(shown, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    assert shown(Terminal()).startswith("\r\x1b[2K[======              ] epoch 3/10 loss=0.5000")
    monkeypatch.setenv("COLUMNS", "40")
    line = shown(Terminal()).removeprefix("\r\x1b[2K")
    assert len(line) == 39
    assert shown(Terminal(), epoch=9).endswith("\n")


def test_a_dumb_terminal_gets_lines(shown, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Terminal()).startswith("epoch 3/10")
