"""Whether a submission has replaced parts of NumPy, of Python's builtins or of the judge that grades it."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.grading import whole_judge  # noqa: F401 - loaded before anything is looked at

_PACKAGES = ("numpy", "builtins", "bridge", "benchmarks", "core_numpy", "model_spec")


def _holders() -> dict[str, dict[str, Any]]:
    """{name of a module or class: what it holds} of all that is loaded and judges."""
    found: dict[str, dict[str, Any]] = {}
    for name, module in list(sys.modules.items()):
        package = name.partition(".")[0]
        if package not in _PACKAGES or module is None:
            continue
        found[name] = dict(vars(module))
        if package not in ("numpy", "builtins"):
            # Names that a module loads on access
            found[name] |= {each: getattr(module, each) for each in getattr(module, "__all__", ())}
        if package in ("numpy", "builtins"):
            continue
        for own in list(vars(module).values()):
            if isinstance(own, type) and own.__module__ == name:
                found[f"{name}.{own.__qualname__}"] = dict(vars(own))
    return found


class Untouched:
    """What NumPy, the builtins and the judge were when this was made."""

    def __init__(self) -> None:
        self._before = _holders()

    def changed(self) -> list[str]:
        """Names that stand for something else now, such as "numpy.abs"."""
        now = _holders()
        return [
            f"{holder}.{name}"
            for holder, held in self._before.items()
            for name, value in held.items()
            if not name.startswith("__") and now.get(holder, {}).get(name) is not value
        ]
