"""The targets of the fuzzer on whole and on damaged files, and the fuzzer itself where it is installed."""

import random

import numpy as np
import pytest

from benchmarks import parser_fuzzing
from model_spec import seals


@pytest.mark.parametrize("reader", parser_fuzzing.READERS)
def test_whole_and_damaged_files_are_answered(tmp_path, reader):
    given, whole = parser_fuzzing.target(reader, tmp_path)
    moments = random.Random(0)
    for content in whole:
        assert given(content)
        taken = 0
        for _ in range(100):
            damaged = bytearray(content)
            damaged[moments.randrange(len(content))] ^= moments.randrange(1, 256)
            taken += given(bytes(damaged[: moments.randrange(len(content) // 2, len(content) + 1)]))
        # Only a seal sees every change; and nothing but the first half of a file is never whole
        assert taken == 0 if reader == "weights" else taken < 20
        assert not given(content[: len(content) // 2])


def test_a_reader_that_takes_damage_is_found(tmp_path, monkeypatch):
    given, (whole,) = parser_fuzzing.target("weights", tmp_path)
    monkeypatch.setattr(seals, "broken", lambda content: None)
    # A date inside the archive, which nothing but the seal looks after
    changed = whole[:10] + bytes([whole[10] ^ 1]) + whole[11:]
    with pytest.raises(RuntimeError, match="a changed file was taken"):
        given(changed)


def test_a_reader_that_raises_something_else_is_found(tmp_path, monkeypatch):
    given, whole = parser_fuzzing.target("idx files", tmp_path)
    monkeypatch.setattr(np, "frombuffer", lambda *_, **__: [][0])
    with pytest.raises(IndexError):
        given(whole[0])


@pytest.mark.slow
def test_the_fuzzer_itself():
    pytest.importorskip("atheris", reason="the fuzzer is not installed (pip install crosscheck[fuzz])")
    found = parser_fuzzing.run(300)
    assert {reader: one["error"] for reader, one in found.items()} == dict.fromkeys(parser_fuzzing.READERS, "")
    assert all(one["files"] >= 300 and one["features"] > 20 for one in found.values())
