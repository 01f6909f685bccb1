"""``crosscheck open``: the newest report in the browser, or that of a directory."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from benchmarks.commands.common import AGREE, LATEST
from model_spec.names import printable

PAGES = ("side_by_side.html", "report.html", "index.html")
"""What a directory of results may hold."""


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    page = page_of(options.path)
    print(page)
    if not webbrowser.open(page.resolve().as_uri()):
        raise ValueError(f"no browser could be started; open {page} in yours")
    return AGREE


def page_of(path: Path) -> Path:
    """The page of a directory of results; of a directory of runs, that of the newest one.

    Raises:
        ValueError: nothing to open; with what makes a report.
    """
    if path.suffix == ".html" and path.is_file():
        return path
    pages = [page for directory in (path, path / LATEST) for name in PAGES if (page := directory / name).is_file()]
    # The newest run may be one without a page, such as a training alone
    pages = pages or [page for name in PAGES for page in path.glob(f"*/{name}") if page.is_file()]
    if not pages:
        raise ValueError(f"no report in {printable(str(path))}; crosscheck compare writes one into runs")
    return max(pages, key=lambda page: page.stat().st_mtime_ns)
