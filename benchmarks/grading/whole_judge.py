"""Loads every module that the judge may use, so that none can be changed unseen before it is first imported."""

from __future__ import annotations

import importlib
import pkgutil

import bridge
import core_numpy
import model_spec

_PARTS = ("bridge.conventions", "bridge.judge", "bridge.outside", "core_numpy", "model_spec")


def _load_all() -> None:
    for package in (bridge, core_numpy, model_spec):
        for name in package.__all__:
            getattr(package, name)
    for part in _PARTS:
        for found in pkgutil.walk_packages(importlib.import_module(part).__path__, f"{part}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


_load_all()
