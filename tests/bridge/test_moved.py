"""Former names of modules still lead to the same objects, with a warning."""

import importlib
import sys

import pytest

import bridge
from bridge.moved import MOVED


@pytest.mark.parametrize("former", [*MOVED, "bridge.faults.updates", "bridge.faults.change"])
def test_a_former_name_is_the_same_module(former):
    old = next(name for name in MOVED if former == name or former.startswith(f"{name}."))
    name = MOVED[old] + former.removeprefix(old)
    sys.modules.pop(former, None)
    with pytest.warns(DeprecationWarning, match=f"{former} is now {name}"):
        module = importlib.import_module(former)
    assert module is importlib.import_module(name)


def test_other_names_are_not_made_up():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("bridge.never_was")


def test_a_name_that_is_no_longer_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'never_was'"):
        bridge.never_was  # noqa: B018
