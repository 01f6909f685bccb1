"""The heat map of a comparison as an HTML table: layers in rows, what was compared in columns, log10(error/bound)."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

from bridge.judge.tensor import TIE, Row

_SHADES = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5")
"""From an error of a ten-thousandth of the bound (or none) up to the bound: ColorBrewer's Blues, safe for all eyes."""

_BEYOND = "#d55e00"
_LOWEST = -4.0
_STAGES = {"loss gradient": "gradients"}


def heat_map(rows: Iterable[Row], is_linked: bool = False) -> str:
    """Return the ``<table>``; every cell is the worst tensor the layer produced, named when one points at it.

    Tensors that differ by ties say so in place of a figure: any side of a tie is right, and the bound is not for them.
    Cells beyond the bound are vermilion with a cross, whatever explains them; a dash: there was nothing to compare.

    Args:
        rows: of a report.
        is_linked: each cell is a link to ``#tensor-N``, N being the place of its tensor in ``rows``: what keyboards and
            fingers need, where the page has such rows.
    """
    cells: dict[tuple[str, tuple[str, ...]], tuple[int, Row]] = {}
    layers: list[str] = []
    columns: list[tuple[str, ...]] = []
    for number, row in enumerate(rows):
        column = (f"{row.dtype} {row.path}", row.mode, row.stage)
        if row.layer not in layers:
            layers.append(row.layer)
        if column not in columns:
            columns.append(column)
        worst = cells.get((row.layer, column))
        if worst is None or _rank(row) > _rank(worst[1]):
            cells[row.layer, column] = number, row
    lines = ['<table class="heat"><thead>']
    for level in range(3):
        heads = "".join(
            f'<th scope="colgroup" colspan="{count}">{html.escape(_STAGES.get(name, name))}</th>'
            for name, count in _groups(columns, level)
        )
        lines.append(f'<tr><th scope="col">{"layer" if level == 2 else ""}</th>{heads}</tr>')
    lines.append("</thead><tbody>")
    for layer in layers:
        found = "".join(_cell(cells.get((layer, column)), is_linked) for column in columns)
        lines.append(f'<tr><th scope="row">{html.escape(layer)}</th>{found}</tr>')
    return "".join([*lines, "</tbody></table>"])


def _rank(row: Row) -> tuple[bool, bool, float]:
    return not row.agrees, row.verdict != TIE, row.error_over_bound


def _groups(columns: list[tuple[str, ...]], level: int) -> list[tuple[str, int]]:
    """(name, number of columns) of neighbours that share everything down to this level."""
    groups: list[tuple[tuple[str, ...], int]] = []
    for column in columns:
        key = column[: level + 1]
        if groups and groups[-1][0] == key:
            groups[-1] = key, groups[-1][1] + 1
        else:
            groups.append((key, 1))
    return [(key[-1], count) for key, count in groups]


def _cell(found: tuple[int, Row] | None, is_linked: bool) -> str:
    if found is None:
        return "<td>-</td>"
    number, row = found
    place = html.escape(f"{row.tensor}: {row.verdict}, error/bound {row.error_over_bound:.3g}", quote=True)
    shade, words = _shade(row), _words(row)
    # White on the darkest, black on the others: a contrast of 4.5 or more
    style = f' style="background:{shade};color:{"#fff" if shade == _SHADES[-1] else "#000"}"' if shade else ""
    if is_linked:
        return f'<td{style}><a href="#tensor-{number}" title="{place}">{words}</a></td>'
    return f'<td title="{place}"{style}>{words}</td>'


def _shade(row: Row) -> str | None:
    if not row.agrees:
        return _BEYOND
    if row.verdict == TIE:
        return None
    depth = 1 - max(_LOWEST, min(0.0, _exponent(row))) / _LOWEST
    return _SHADES[round(depth * (len(_SHADES) - 1))]


def _words(row: Row) -> str:
    if not row.agrees:
        return f"&#10007;&nbsp;{_log(row)}"
    return "tie" if row.verdict == TIE else _log(row)


def _exponent(row: Row) -> float:
    return math.log10(row.error_over_bound) if row.error_over_bound > 0 else -math.inf


def _log(row: Row) -> str:
    exponent = _exponent(row)
    return "equal" if exponent == -math.inf else "inf" if exponent == math.inf else f"{exponent:.1f}"
