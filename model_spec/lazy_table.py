"""A table of classes that are imported when they are first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class LazyTable(Mapping[str, T]):
    """What stands in the modules of a package, by name; a program pays for the modules it uses.

    Args:
        package: the package's name.
        where: {name: module} of the package, or {name: "module.Name"} where the module calls it otherwise.

    >>> table = LazyTable("model_spec.layers", {"Dense": "dense", "Fully": "dense.Dense"})
    >>> list(table), table["Fully"].__name__
    (['Dense', 'Fully'], 'Dense')
    """

    def __init__(self, package: str, where: dict[str, str]) -> None:
        self.package = package
        self.where = where

    def __getitem__(self, name: str) -> T:
        module, _, attribute = self.where[name].partition(".")
        value: T = getattr(import_module(f"{self.package}.{module}"), attribute or name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.where)

    def __len__(self) -> int:
        return len(self.where)

    def __contains__(self, name: object) -> bool:
        return name in self.where
