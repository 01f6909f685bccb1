"""Progress on standard error: a bar with rate and time left on a terminal, lines of the same elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_REPORTS = 30
"""Rates are taken over so many reports: results kept from an earlier run come in a burst, and are soon forgotten."""

_BAR = 20
_CLEAR = "\r\x1b[2K"


def duration(seconds: float) -> str:
    """Seconds as people say them: 48 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def is_terminal(stream: TextIO) -> bool:
    """True where lines can be replaced: a terminal, and none that calls itself dumb."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Progress:
    """A ``show`` for long computations (see :class:`bridge.progress.Show`).

    Leaving its ``with`` block takes the line off the terminal; entered again, it goes on.

    On a terminal the last line is replaced by the next: by rich where it is installed, which cuts it to the width,
    else as plain text. Nothing is drawn between two calls: a thread that draws would disturb what is timed.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._reports: deque[tuple[float, int]] = deque(maxlen=_REPORTS)
        self._total = 0
        self._rich: RichProgress | None = None
        self._live = is_terminal(self._stream)
        if self._live:
            self._rich = _rich_bar(self._stream)

    def __call__(self, line: str, done: int = 0, total: int = 0) -> None:
        """Show a line, and how far the computation is where that is known."""
        figures = self._figures(done, total)
        if self._rich is not None:
            _draw(self._rich, line, figures, done, total)
        elif self._live:
            bar = f"[{'=' * (_BAR * done // total):<{_BAR}}] " if total else ""
            width = shutil.get_terminal_size().columns - 1
            print(f"{_CLEAR}{f'{bar}{figures} {line}'.strip()[:width]}", end="", file=self._stream, flush=True)
        else:
            print(f"{figures} {line}".strip(), file=self._stream, flush=True)

    def _figures(self, done: int, total: int) -> str:
        """ "12/60, 3.1/s, 15 s left" of what is known of it."""
        if not total:
            self._reports.clear()
            return ""
        if total != self._total or (self._reports and done < self._reports[-1][1]):
            # Something else has begun
            self._reports.clear()
        self._total = total
        self._reports.append((self._clock(), done))
        (begun, before), (now, _) = self._reports[0], self._reports[-1]
        figures = f"{done}/{total}"
        if done > before and now > begun:
            rate = (done - before) / (now - begun)
            each = f"{rate:.1f}/s" if rate >= 1 else f"{duration(1 / rate)} each"
            figures += f", {each}, {duration((total - done) / rate)} left"
        return figures

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Take the line off the terminal."""
        if self._rich is not None:
            self._rich.stop()
        elif self._live:
            print(_CLEAR, end="", file=self._stream, flush=True)


def _draw(bar: RichProgress, line: str, figures: str, done: int, total: int) -> None:
    bar.start()
    if not bar.tasks:
        bar.add_task(line, total=None, figures="")
    bar.update(bar.tasks[0].id, description=line, completed=done, total=total or None, figures=figures)
    bar.refresh()


def _rich_bar(stream: TextIO) -> RichProgress | None:
    """A bar of rich, or None where it is not installed; rich itself honours NO_COLOR and the terminal's width."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.table import Column
    except ImportError:
        return None
    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    figures = TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True))
    return Bar(
        BarColumn(_BAR),
        figures,
        text,
        console=Console(file=stream),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
