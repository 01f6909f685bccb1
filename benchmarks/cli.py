"""The command ``crosscheck``: parses the line, runs one handler, and turns the result into an exit code.

Exit codes: 0 the backends agree, 1 they were compared and differ, 2 they could not be compared, 70 the program itself
failed, 130 interrupted, 141 nobody reads what it prints. What a command takes stands in ``benchmarks.options``; what it
does in ``benchmarks.commands``, one module each, loaded when it is run: ``crosscheck --help`` loads neither TensorFlow
nor NumPy.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from benchmarks.command_line import parse
from benchmarks.commands.common import CANNOT_COMPARE, CLOSED_PIPE, CRASHED, INTERRUPTED, check_places_to_write
from benchmarks.configuration import with_configuration as _with_configuration
from benchmarks.options import build_parser
from model_spec.names import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next, and has argcomplete
        with suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)
    options = parse(parser, line)
    if options.command is None:
        parser.print_help()
        return CANNOT_COMPARE
    try:
        options = _with_configuration(parser, options, line)
        # As typed, for pages that say how they were written
        options.arguments = line
        check_places_to_write(options)
        command = import_module(f"benchmarks.commands.{options.command}")
        code = int(command.run(options))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough: nothing more is written, also not when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except (ValueError, ImportError, OSError) as error:
        print(f"crosscheck: {printable(str(error))}", file=sys.stderr)
        return CANNOT_COMPARE
    except MemoryError as error:
        print(f"crosscheck: not enough memory: {error}; take fewer rows or a smaller network", file=sys.stderr)
        return CANNOT_COMPARE
    except Exception as error:
        print(_crash(error, line), file=sys.stderr)
        return CRASHED


def _crash(error: Exception, line: Sequence[str]) -> str:
    """One line on an exception that nobody expected; its traceback goes into a file."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    text = f"crosscheck {' '.join(line)}\n\n{''.join(traceback.format_exception(error))}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="crosscheck-", suffix=".txt", encoding="utf-8", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return f"crosscheck: the program itself failed: {reason}"
    return f"crosscheck: the program itself failed: {reason}; please report it with {Path(file.name)}"
