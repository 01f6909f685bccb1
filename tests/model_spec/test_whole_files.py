"""Files written whole or not at all: content, permissions, and the old file after a failure."""

import os
import subprocess
import sys

import pytest

from model_spec.whole_files import remove_leftovers, whole_file, write_whole


def test_a_new_file_is_one_like_any_other(tmp_path):
    path, plain = tmp_path / "new.txt", tmp_path / "plain.txt"
    write_whole(path, "gamma γ\n")
    plain.write_text("")
    assert path.read_text(encoding="utf-8") == "gamma γ\n"
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["new.txt", "plain.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "old.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="in the middle"), whole_file(path) as file:
        file.write(b"half of the new")
        raise RuntimeError("in the middle")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old.bin"]


def test_a_missing_directory_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "new.txt", "")


@pytest.mark.skipif(os.name != "posix", reason="other systems cannot be asked which programs live")
def test_leftovers_of_dead_programs_are_removed(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from model_spec.whole_files import whole_file\n"
        "with whole_file(sys.argv[1]) as file:\n"
        "    file.write(b'half')\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "run.npz"
    subprocess.run([sys.executable, "-c", program, str(path)])
    (left,) = tmp_path.iterdir()
    remove_leftovers(tmp_path / "other.npz")
    assert left.exists()
    with whole_file(path) as file:
        file.write(b"whole")
        # What is being written is not left over
        remove_leftovers(path)
        (writing,) = tmp_path.iterdir()
        assert writing != left
    foreign = tmp_path / left.name.replace(left.name.split(".")[3], "another_machine")
    foreign.touch()
    assert path.read_bytes() == b"whole"
    remove_leftovers(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {"run.npz", foreign.name}
