"""Readers of files under a coverage-guided fuzzer (atheris): any bytes give a result or the named error.

The fuzzer owns its process and ends it, so each reader is fuzzed in one of its own (``python -m
benchmarks.parser_fuzzing READER DIRECTORY -runs=N``); whatever else a reader raises ends it with a traceback.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import io
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from bridge.progress import Show, silent

READERS = ("weights", "sealed weights", "data archives", "idx files")
"""Weight files as they are; weight files sealed again behind each change; ``.npz`` data; idx data, packed or not."""

_INSTRUMENTED = (
    "benchmarks.data_files",
    "model_spec.weight_files",
    "model_spec.seals",
    "zipfile",
    "gzip",
    "numpy.lib._format_impl",
    "numpy.lib._npyio_impl",
)

Target = Callable[[bytes], bool]
"""True where the file was taken, False where it was refused as it should be; anything else is an error."""


def run(files: int, seed: int = 0, show: Show = silent) -> dict[str, dict[str, Any]]:
    """Give every reader so many files.

    Returns:
        {reader: {"files": how many, "features": edges of the readers' code that were reached, "error": "" or what
        a reader raised}}.

    Raises:
        ImportError: atheris is not installed.
    """
    try:
        import atheris  # noqa: F401
    except ImportError:
        raise ImportError('the fuzzer of files needs atheris: pip install "crosscheck[fuzz]"') from None
    found = {}
    for number, reader in enumerate(READERS):
        show(f"readers, {reader}", number, len(READERS))
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-m", __name__, reader, directory, f"-runs={files}", f"-seed={seed + 1}"]
            said = subprocess.run(command, capture_output=True, text=True)
        done = re.findall(r"^#(\d+)\s+DONE.*?cov: (\d+)", said.stderr, re.MULTILINE)
        whole = said.returncode == 0 and bool(done)
        count, features = map(int, done[-1]) if done else (0, 0)
        found[reader] = {"files": count, "features": features, "error": "" if whole else said.stderr.strip()[-2000:]}
    return found


def target(reader: str, directory: Path) -> tuple[Target, list[bytes]]:
    """What is done with each file, and whole files to begin with."""
    from model_spec import Dense, Flatten, ModelSpec

    spec = ModelSpec("small", (2, 2, 1), (Flatten(), Dense(3, activation="relu"), Dense(2, activation="softmax")))
    path = directory / "file"
    if "weights" in reader:
        return _weights(spec, directory, again=reader.startswith("sealed"))
    from benchmarks import data_files

    images, labels = np.arange(36, dtype=np.uint8).reshape(4, 3, 3), np.arange(4, dtype=np.uint8)
    parts = dict(zip(data_files.PARTS, (images, labels, images[:2], labels[:2]), strict=True))

    def read(content: bytes) -> bool:
        if reader == "data archives":
            name, parse = path, cast(Callable[[Path], object], data_files.read_npz)
        else:
            # Packed files by their first bytes, as their endings would say
            name, parse = path.with_suffix(".gz" if content[:2] == b"\x1f\x8b" else ""), data_files.read_idx
        name.write_bytes(content)
        try:
            parse(name)
        except ValueError as error:
            if str(name) not in str(error):
                raise RuntimeError(f"the error does not name the file: {error}") from error
            return False
        return True

    if reader == "idx files":
        plain = b"\0\0\x08\x03" + struct.pack(">3I", *images.shape) + images.tobytes()
        return read, [plain, gzip.compress(plain, mtime=0)]
    whole = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **parts)  # type: ignore[arg-type]
        whole.append(buffer.getvalue())
    return read, whole


def _weights(spec: Any, directory: Path, again: bool) -> tuple[Target, list[bytes]]:
    """Loading a file into a model: refused by the named error with the model untouched, unless it is a whole one."""
    from core_numpy import NumpyModel, WeightFileError

    path = directory / "weights.npz"
    NumpyModel(spec, seed=1).save_weights(path)
    whole, model = path.read_bytes(), NumpyModel(spec, seed=2)
    before = model.get_weights()

    def load(content: bytes) -> bool:
        taken = False
        if again:
            content = content[:-8] + b"%08x" % zlib.crc32(content[:-8])
        path.write_bytes(content)
        try:
            model.load_weights(path)
        except WeightFileError as error:
            if str(path) not in str(error):
                raise RuntimeError(f"the error does not name the file: {error}") from error
        except ValueError as error:
            # A right seal around other arrays: the model refuses what does not fit
            if not again:
                raise RuntimeError(f"{error}") from error
        else:
            if not again and content != whole:
                raise RuntimeError("a changed file was taken")
            taken = True
            model.set_weights(before)
        if any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)):
            raise RuntimeError("the model has changed")
        return taken

    return load, [whole]


def main(reader: str, directory: str, *flags: str) -> None:
    """Fuzz one reader; the fuzzer ends this process."""
    import atheris

    for name in _INSTRUMENTED:
        _watch(importlib.import_module(name), atheris.instrument_func)
    given, whole = target(reader, Path(directory))
    corpus = Path(directory, "corpus")
    corpus.mkdir()
    for number, content in enumerate(whole):
        (corpus / str(number)).write_bytes(content)
    limits = [f"-artifact_prefix={directory}/", "-max_len=4096", "-len_control=0"]

    def once(content: bytes) -> None:
        # What it returns would mean something to the fuzzer
        given(content)

    atheris.Setup([__name__, *flags, *limits, str(corpus)], once)
    atheris.Fuzz()


def _watch(module: ModuleType, instrument: Callable[[Any], Any]) -> None:
    """Have the fuzzer told which branches of a module's functions and methods are taken."""
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    methods = [value for kind in own if inspect.isclass(kind) for value in vars(kind).values()]
    for function in filter(inspect.isfunction, [*own, *methods]):
        instrument(function)


if __name__ == "__main__":
    main(*sys.argv[1:])
