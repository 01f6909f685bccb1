"""The facts about a machine that a result is worth nothing without."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

_PROJECT = Path(__file__).resolve().parent.parent

BUSY = 0.15
"""Share of the processors above which other programs disturb what is timed."""

_PROCESSORS = Path("/proc/stat")

_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "scikit-learn": ("scikit-learn",),
    "scipy": ("scipy",),
    "crosscheck": ("crosscheck",),
}

_VARIABLES = ("OPENBLAS_CORETYPE", "TF_ENABLE_ONEDNN_OPTS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe() -> dict[str, Any]:
    """Return the machine and the software as plain dicts, lists, numbers and strings.

    Only NumPy is imported for it (and threadpoolctl where it is installed); versions of the other packages are read
    from their metadata. What cannot be found out is None.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu(_read_text(Path("/proc/cpuinfo"))),
        "numpy": np.__version__,
        "blas": blas(),
        "versions": {name: _version(candidates) for name, candidates in _DISTRIBUTIONS.items()},
        "variables": {name: os.environ.get(name) for name in _VARIABLES},
        "commit": commit(_PROJECT),
    }


def busy_share(seconds: float = 1.0) -> float | None:
    """Share of the processors' time that somebody used in the seconds to come, 0 to 1; None where it cannot be told.

    Meant to be asked while this program waits: what is busy then is somebody else.
    """
    before = _processor_times(_read_text(_PROCESSORS))
    time.sleep(seconds)
    after = _processor_times(_read_text(_PROCESSORS))
    if before is None or after is None or sum(after) <= sum(before):
        return None
    # user, nice, system, idle, iowait, ...
    idle = after[3] - before[3] + after[4] - before[4]
    return 1 - idle / (sum(after) - sum(before))


def _processor_times(text: str) -> list[int] | None:
    """The numbers behind "cpu" in the first line of ``/proc/stat``, guests left out, which count as users too."""
    first = text.partition("\n")[0].split()
    return [int(ticks) for ticks in first[1:9]] if len(first) > 8 and first[0] == "cpu" else None


def better_blas_core() -> str | None:
    """ "SkylakeX" where the processor has AVX-512 and OpenBLAS picked other kernels, else None.

    NumPy's OpenBLAS knows few processors by name and takes AVX2 kernels on the others. The kernels for AVX-512 run
    wherever these four extensions are there; the variable must be set before NumPy is loaded.
    """
    words = set(_read_text(Path("/proc/cpuinfo")).split())
    has_them = {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= words
    picked = {library["core"] for library in blas() if library["library"] == "openblas"}
    return "SkylakeX" if has_them and picked and "SkylakeX" not in picked else None


def written_by(command: str) -> str:
    """A sentence for a page: the command that wrote it, the date, the machine and the versions."""
    facts = describe()
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    processor = facts["cpu"] or {}
    return (
        f"Written by `{command}` on {facts['date'][:10]}; {processor.get('model')}, "
        f"{processor.get('usable_cores')} cores, Python {facts['python']}, NumPy {facts['numpy']}, {versions}."
    )


def cpu(cpuinfo: str) -> dict[str, Any]:
    """Return model, cores and AVX-512 of the processor from the text of ``/proc/cpuinfo`` ("" where there is none)."""
    model, flags, cores, current = None, None, set(), {}
    for line in [*cpuinfo.splitlines(), ""]:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key:
            current[key] = value
            continue
        model = model or current.get("model name")
        flags = flags or current.get("flags")
        if "core id" in current:
            cores.add((current.get("physical id"), current["core id"]))
        current = {}
    return {
        "model": model or platform.processor() or None,
        "machine": platform.machine(),
        "physical_cores": len(cores) or None,
        "logical_cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "avx512": None if flags is None else any(flag.startswith("avx512") for flag in flags.split()),
    }


def blas() -> list[dict[str, Any]]:
    """Return the linear-algebra libraries in use: library, version, the core type it chose, threads.

    Without threadpoolctl only the library and version NumPy was built with are known.
    """
    try:
        import threadpoolctl
    except ImportError:
        built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return [{"library": built.get("name"), "version": built.get("version"), "core": None, "threads": None}]
    return [
        {
            "library": pool.get("internal_api"),
            "version": pool.get("version"),
            "core": pool.get("architecture"),
            "threads": pool.get("num_threads"),
        }
        for pool in threadpoolctl.threadpool_info()
        if pool.get("user_api") == "blas"
    ]


def commit(directory: Path) -> str | None:
    """Return the commit of the repository whose root is ``directory``, marked where files differ from it, or None."""
    # An installed copy may lie inside somebody else's repository, whose commit says nothing about this code.
    if not (directory / ".git").exists():
        return None
    try:
        revision = _git(directory, "rev-parse", "HEAD")
        return f"{revision} (modified)" if _git(directory, "status", "--porcelain") else revision
    except (OSError, subprocess.SubprocessError):
        return None


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _version(candidates: tuple[str, ...]) -> str | None:
    for name in candidates:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
