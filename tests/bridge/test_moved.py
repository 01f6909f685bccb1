"""Former names of modules still lead to the same objects, with a warning."""

import importlib
import sys
import warnings

import numpy as np
import pytest

import bridge
from bridge.moved import MOVED
from bridge.selftest.faults import find
from model_spec import zoo


@pytest.mark.parametrize("former", [*MOVED, "bridge.faults.updates", "bridge.faults.change"])
def test_a_former_name_is_the_same_module(former):
    old = next(name for name in MOVED if former == name or former.startswith(f"{name}."))
    name = MOVED[old] + former.removeprefix(old)
    with warnings.catch_warnings(action="ignore"):  # the packages around it, which may have moved too
        importlib.import_module(former.rpartition(".")[0])
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


def test_the_former_argument_of_faults_still_plants():
    spec = zoo.mlp((4, 4, 1), 3)
    x, y = np.random.default_rng(0).random((4, 4, 4, 1)), [0, 1, 2, 0]
    with pytest.warns(DeprecationWarning, match="fault=... is now prepare=bridge.plant"):
        report = bridge.compare(spec, x, y, dtype="float64", locate=False, fault=find("missing-bias"))
    assert not report.passed
    with pytest.raises(ValueError, match=r"is now prepare=bridge\.plant\('missing-bias'\)"):
        bridge.compare(spec, x, y, fault="missing-bias")
