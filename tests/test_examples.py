"""Every public name has an example in its docstring, and every example prints what it says."""

import doctest
import importlib
import sys

import pytest

import crosscheck
from model_spec import layers, losses, optimizers

NAMES = {package: names.split() for package, names in crosscheck.PUBLIC.items()} | {
    "model_spec.layers": list(layers.LAYERS),
    "model_spec.losses": sorted({kind.__name__ for kind in losses.LOSSES.values()}),
    "model_spec.optimizers": sorted({kind.__name__ for kind in optimizers.OPTIMIZERS.values()}),
    "crosscheck.timing": ["compare"],
    "crosscheck": ["FuzzReport", "fuzz"],
}
IN_MODULES = ["core_numpy.engine.chunks", "core_numpy.engine.layout", "core_numpy.engine.shared_memory"]


def examples_of(value, name):
    """The examples of an object's own docstring, with what stands in its module at hand."""
    home = value if isinstance(value, type(sys)) else sys.modules[value.__module__]
    found = doctest.DocTestFinder(recurse=False).find(value, name, module=home, globs=dict(vars(home)))
    return [test for test in found if test.examples]


def run(tests):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report = []
    for test in tests:
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in NAMES.items() for name in names], ids=str
)
def test_a_public_name_has_an_example_that_runs(package, name):
    tests = examples_of(getattr(importlib.import_module(package), name), name)
    assert tests, f"{package}.{name} has no example; write one under Examples: in its docstring"
    run(tests)


@pytest.mark.parametrize("module", IN_MODULES)
def test_examples_of_modules_run(module):
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    tests = [test for test in found if test.examples]
    assert tests
    run(tests)


def test_an_example_that_is_wrong_is_seen():
    def wrong():
        """
        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Expected"):
        run(examples_of(wrong, "wrong"))
