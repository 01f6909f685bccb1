"""Tables of a TOML file as frozen dataclasses: what is missing or unknown is refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

Record = TypeVar("Record")


def record_from(kind: type[Record], entry: Any, where: str) -> Record:
    """Build a dataclass from a table.

    Raises:
        ValueError: says where, and what was missing, unknown or wrong.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected a table, got {entry!r}")
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    known = [field.name for field in fields]
    required = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    unknown = [name for name in entry if name not in known]
    lacking = [name for name in required if name not in entry]
    if unknown or lacking:
        raise ValueError(
            f"{where}: unknown {', '.join(unknown) or 'nothing'}, missing {', '.join(lacking) or 'nothing'}; "
            f"known are {', '.join(known)}"
        )
    try:
        return kind(**entry)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
