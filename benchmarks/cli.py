"""The command ``crosscheck``: parses the line, runs one handler, and turns the result into an exit code.

Exit codes: 0 the backends agree, 1 they were compared and differ, 2 they could not be compared, 130 interrupted.
What a command takes stands in ``benchmarks.options``; what it does in ``benchmarks.commands``, one module each, loaded
when it is run: ``crosscheck --help`` loads neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.command_line import parse, subcommands
from benchmarks.commands.common import CANNOT_COMPARE, INTERRUPTED
from benchmarks.options import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    options = parse(parser, arguments)
    if options.command is None:
        parser.print_help()
        return CANNOT_COMPARE
    try:
        options = _with_configuration(parser, options, arguments)
        # As typed, for pages that say how they were written
        options.arguments = list(sys.argv[1:] if arguments is None else arguments)
        command = import_module(f"benchmarks.commands.{options.command}")
        return int(command.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError) as error:
        print(f"crosscheck: {error}", file=sys.stderr)
        return CANNOT_COMPARE


def _with_configuration(
    parser: argparse.ArgumentParser, options: argparse.Namespace, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Options again, with those of ``--config`` as defaults: what stands on the line wins."""
    path = getattr(options, "config", None)
    if path is None:
        return options
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --config the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    known = {name for name in vars(options) if name not in {"command", "config"}}
    values = {name.replace("-", "_"): value for name, value in values.items()}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{path}: unknown option {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    values |= {name: Path(values[name]) for name in ("output", "resume") if name in values}
    subcommands(parser)[options.command].set_defaults(**values)
    return parse(parser, arguments)
