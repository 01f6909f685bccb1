"""Options from a ``--config`` file: they become words of the command line, and meet the same checks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.command_line import Parser, parse, subcommands
from benchmarks.options import build_parser
from model_spec import untrusted


def with_configuration(parser: Parser, options: argparse.Namespace, line: Sequence[str]) -> argparse.Namespace:
    """Options again, with those of ``--config`` where the line itself says nothing.

    Args:
        parser: of the whole command line.
        options: what it made of the line.
        line: the words after ``crosscheck``.

    Raises:
        ValueError: the file cannot be read, or names an option that the command does not have.
        SystemExit: a value that the command line would refuse, too; with exit code 2.
    """
    path = getattr(options, "config", None)
    if path is None:
        return options
    command = subcommands(parser)[options.command]
    actions = {action.dest: action for action in command._actions if action.dest not in {"help", "config"}}
    values = {name.replace("-", "_"): value for name, value in _read(path).items()}
    unknown = sorted(set(values) - set(actions))
    if unknown:
        raise ValueError(f"{path}: unknown option {', '.join(unknown)}; known are {', '.join(sorted(actions))}")
    given = _given(options.command, line)
    at = list(line).index(options.command) + 1
    positional: list[str] = []
    optional: list[str] = []
    for name, value in values.items():
        if name not in given:
            words = _words(actions[name], value, f"{path}: {name}")
            (optional if actions[name].option_strings else positional).extend(words)
    command.source = str(path)
    return parse(parser, [*line[:at], *positional, *line[at:], *optional])


def _read(path: Path) -> dict[str, Any]:
    try:
        return untrusted.parse_toml(untrusted.read_bytes(path, untrusted.LARGEST_TOML).decode())
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --config the path of a .toml file") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _given(command: str, line: Sequence[str]) -> set[str]:
    """Names of the options that stand on the line itself."""
    bare = build_parser()
    for action in subcommands(bare)[command]._actions:
        action.default = argparse.SUPPRESS
    return set(vars(parse(bare, line)))


def _words(action: argparse.Action, value: Any, what: str) -> list[str]:
    """The words that say this value on the command line."""
    option = action.option_strings[-1] if action.option_strings else None
    is_flag = action.nargs == 0
    takes_many = action.nargs in ("*", "+")
    if isinstance(value, bool) or is_flag:
        if not (isinstance(value, bool) and is_flag):
            raise ValueError(f"{what} must be {'true or false' if is_flag else 'a value'}, got {value!r}")
        return [str(option)] if value else []
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, (str, int, float)) and not isinstance(entry, bool) for entry in entries):
        raise ValueError(
            f"{what} must be a number, a string{' or a list of them' if takes_many else ''}, got {value!r}"
        )
    if isinstance(value, list) and (not takes_many or not value):
        raise ValueError(f"{what} must be {'a list with entries' if takes_many else 'one value'}, got {value!r}")
    words = [str(entry) for entry in entries]
    if option is None:
        return words
    return [option, *words] if takes_many else [f"{option}={words[0]}"]
