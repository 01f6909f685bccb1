"""One self-contained HTML page and its JSON from one comparison; nothing in the page needs the network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_spec.verdict import json_text
from model_spec.whole_files import write_whole

if TYPE_CHECKING:
    from benchmarks.compare import Comparison

FORMAT = 2
"""Version of report.json; ``schema.json`` beside this file describes it."""


def entry_of(result: Comparison) -> dict[str, Any]:
    """What report.json holds: the whole result and the command that gave it."""
    return {"format": FORMAT, "command": command_line(sys.argv), **result.to_dict()}


def command_line(arguments: list[str]) -> str:
    """The command as it can be typed again; a program's own path is left out."""
    import shlex

    return shlex.join([Path(arguments[0]).name, *arguments[1:]]) if arguments else ""


def render(result: Comparison, entry: dict[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        result: the comparison.
        entry: what :func:`entry_of` gave for it, where it is at hand.

    Raises:
        ImportError: jinja2 or matplotlib is missing; the message has the pip line.
    """
    page = template("page.html")
    from benchmarks.report import pictures
    from benchmarks.report.summary import drawing, sentences
    from bridge.judge.heat_map import heat_map

    parity = result.parity
    return page.render(
        entry=entry or entry_of(result),
        summary=result.spec.summary(),
        heat=heat_map(parity.rows, is_linked=True),
        sentences=sentences(result),
        drawing=list(drawing(result)),
        pictures=pictures.of(result),
    )


def template(name: str, package: str = "report") -> Any:
    """A page's template, from the folder of this name.

    Raises:
        ImportError: jinja2 is missing; the message has the pip line.
    """
    try:
        import jinja2
    except ImportError:
        raise ImportError('the HTML report needs jinja2: pip install "crosscheck[report]"') from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmarks", package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def save(result: Comparison, directory: Path) -> None:
    """Write report.json and report.html; each file appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    entry = entry_of(result)
    write_whole(directory / "report.json", json_text(entry))
    write_whole(directory / "report.html", render(result, entry))
