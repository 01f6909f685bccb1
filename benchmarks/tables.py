"""A table of results: aligned text, HTML for notebooks, a table of rich on a terminal."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table as RichTable


def as_html(parts: Iterable[Any]) -> str:
    """Results one below the other, for notebooks: what has no HTML of its own is shown as text."""
    return "".join(
        part._repr_html_() if hasattr(part, "_repr_html_") else f"<pre>{html.escape(str(part))}</pre>" for part in parts
    )


@dataclass
class Table:
    """Rows of short texts under headings; columns of figures stand on the right of theirs.

    Attributes:
        columns: the headings.
        rows: as many texts each.
        title: a line above.
    """

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    title: str = ""

    def _figures(self, column: int) -> bool:
        """True where every text that is there is a number, whatever stands behind it."""
        texts = [row[column] for row in self.rows if row[column]]
        return bool(texts) and all(text.lstrip("+-")[:1].isdigit() for text in texts)

    def lines(self, indent: str = "  ") -> list[str]:
        """The table as aligned text, the title first."""
        everything = [self.columns, *self.rows]
        widths = [max(len(row[column]) for row in everything) for column in range(len(self.columns))]
        sides = [">" if self._figures(column) else "<" for column in range(len(self.columns))]
        lines = [self.title] if self.title else []
        for row in everything:
            cells = [f"{text:{side}{width}}" for text, side, width in zip(row, sides, widths, strict=True)]
            lines.append(f"{indent}{'  '.join(cells)}".rstrip())
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(text)}</th>" for text in self.columns)
        aligned = [' style="text-align: right"' if self._figures(at) else "" for at in range(len(self.columns))]
        rows = (
            "".join(f"<td{style}>{html.escape(text)}</td>" for text, style in zip(row, aligned, strict=True))
            for row in self.rows
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __rich__(self) -> RichTable:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title or None, title_justify="left", title_style="", box=SIMPLE_HEAD)
        for at, heading in enumerate(self.columns):
            table.add_column(Text(heading), justify="right" if self._figures(at) else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(text) for text in row))
        return table
