"""A parser of command lines that answers wrong usage with one line: what came, what was meant, an example."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from benchmarks.commands.common import CANNOT_COMPARE

OF_ALL_COMMANDS = ("--json", "--quiet")
"""Options that may stand in front of the command, too."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one line: what came, what was probably meant, and an example."""

    source: str | None = None
    """The configuration file that some of the words come from."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with exit code 2."""
        example = self.epilog.split(": ", 1)[1] if self.epilog else f"{self.prog} --help"
        hint = f" For example: {example}" if message.endswith("?") else f"; for example: {example}"
        place = f"{self.prog}, {self.source}" if self.source else self.prog
        self.exit(CANNOT_COMPARE, f"{place}: {message}{hint}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [] if action.choices is None else [str(choice) for choice in action.choices]
        if action.choices is not None and value not in action.choices:
            what = "command" if action.dest == "command" else "value"
            meant = suggestion(str(value), choices) or f"; choose from {', '.join(choices)}"
            raise argparse.ArgumentError(None if what == "command" else action, f"unknown {what} {value!r}{meant}")


def suggestion(word: str, known: Sequence[str]) -> str:
    """ "; did you mean 'compare'?" where a known word is near, else ""."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a line; an unknown option is answered by its own command, which knows what it has."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    in_front = list(takewhile(OF_ALL_COMMANDS.__contains__, words))
    options, unknown = parser.parse_known_args([*words[len(in_front) :], *in_front])
    if unknown:
        command = subcommands(parser).get(options.command, parser)
        known = [name for action in command._actions for name in action.option_strings]
        word = unknown[0].partition("=")[0]
        kind = "option" if word.startswith("-") else "argument"
        command.error(f"unknown {kind} {word}{suggestion(word, known)}")
    return options


def subcommands(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """{name: its parser}."""
    actions = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(next(actions).choices)
