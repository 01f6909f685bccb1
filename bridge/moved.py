"""Modules that have moved: their former names go on working for two releases, with a warning that says where to."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

MOVED = {
    "bridge.channels_first": "bridge.conversion.channels_first",
    "bridge.comparison": "bridge.conventions.comparison",
    "bridge.estimators": "bridge.conversion.estimators",
    "bridge.faults": "bridge.selftest.faults",
    "bridge.fuzz": "bridge.fuzzing.fuzz",
    "bridge.layer_check": "bridge.outside.layer_check",
    "bridge.layer_report": "bridge.outside.layer_report",
    "bridge.pytest_plugin": "crosscheck.pytest_plugin",
    "bridge.report": "bridge.judge.report",
    "bridge.saved_cases": "bridge.fuzzing.saved_cases",
    "bridge.training": "bridge.lockstep.training",
    "bridge.verdict": "bridge.judge.tensor",
}
"""{former name: name}, of those that stood in the docs or in files this program wrote."""


class MovedModules:
    """Finds a module by its former name."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Part of Python's import protocol."""
        former = next((old for old in MOVED if name == old or name.startswith(f"{old}.")), None)
        if former is None:
            return None
        return spec_from_loader(name, _Alias(MOVED[former] + name.removeprefix(former)))  # type: ignore[arg-type]


class _Alias:
    """Loads the module of another name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The very module, so that its classes are the same under both names."""
        warnings.warn(f"{spec.name} is now {self.name}", DeprecationWarning, stacklevel=4)
        return import_module(self.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it has been run under its own name."""


def keep_former_names() -> None:
    """Let the former names be imported."""
    if not any(finder is MovedModules for finder in sys.meta_path):
        # In front: the real folder of a moved package would load its files a second time under the former name
        sys.meta_path.insert(0, MovedModules)
