"""Whether a package name leads to Crosscheck's own package, or to another one of that name."""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("model_spec", "core_numpy", "keras_models", "bridge", "benchmarks")


class ShadowedPackageError(ImportError):
    """Another package answers to the name of one of Crosscheck's."""


def need_ours(package: str) -> None:
    """Go on only where this name leads to Crosscheck's own package.

    Raises:
        ShadowedPackageError: it leads elsewhere; the message says to which file.
    """
    module = sys.modules.get(package)
    origin = getattr(module, "__file__", None) if module is not None else getattr(find_spec(package), "origin", None)
    here = Path(__file__).resolve().parent.parent / package / "__init__.py"
    if origin is None or Path(origin).resolve() != here:
        raise ShadowedPackageError(
            f"the name {package!r} leads to {origin or 'no file'}, not to Crosscheck's own package {here}: "
            f"rename one of them, or run Crosscheck from another folder"
        )
