"""A submission in a process of its own, with limits: what it holds is asked for, and all it started is ended."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grading.descendants import Descendants
from benchmarks.grading.messages import MessageError, receive, send
from benchmarks.grading.stand_ins import HeldArray, HeldDict, HeldList, Raised, stand_in

Array = np.ndarray

_START_SECONDS = 5.0
"""What starting a process may take beside the time of a case."""

_START = (
    "import json, sys; path, descriptor = json.loads(sys.argv.pop()); sys.path[:] = path; "
    "from benchmarks.grading.answering import main; main(descriptor)"
)

_WAITING_SECONDS = 0.02
"""What an answer may take beside: thousands of questions are asked."""

_NO_ANSWER = "its process gave something that is no answer"

_KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""Variables of the environment that a submission sees."""


class SubmissionEndedError(BaseException):
    """A submission's process has ended, or was ended; no judge may take this for a fault of one tensor."""


class SubmissionTimeoutError(SubmissionEndedError):
    """A submission's process was ended because it took too long."""


class Session:
    """One submission's process; use as a context manager.

    Args:
        seconds: it may take to answer, in total, and in computing time.
        memory: MiB it may take.
    """

    def __init__(self, seconds: float, memory: int) -> None:
        self._seconds, self._left = seconds, seconds + _START_SECONDS
        self._memory = memory
        self._numbers: dict[int, int] = {}
        self._objects: dict[int, Any] = {}
        self._kept: list[Any] = []
        self.changes = 0

    def __enter__(self) -> Session:
        self._folder = tempfile.mkdtemp(prefix="crosscheck-")
        self._descendants = Descendants()
        self._connection, other = socket.socketpair()
        path = [os.path.abspath(entry) for entry in sys.path if entry]
        path = [str(Path(__file__).parents[2]), *path]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _START, json.dumps([path, other.fileno()])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(other.fileno(),),
            cwd=self._folder,
            env=self._environment(),
            start_new_session=True,
        )
        other.close()
        self._exchange((self._memory, self._seconds), answered=False)
        return self

    def _environment(self) -> dict[str, str]:
        own = {name: os.environ[name] for name in _KEPT if name in os.environ}
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        return {
            **own,
            **one_thread,
            "HOME": self._folder,
            "TMPDIR": self._folder,
            "CROSSCHECK_GRADING": secrets.token_hex(8),
        }

    def __exit__(self, *_: Any) -> None:
        self._connection.close()
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._descendants.end_new_ones()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, submission: Path) -> None:
        """Run its file.

        Raises:
            Exception: what it raises.
            SubmissionEndedError: it ends its process.
            SubmissionTimeoutError: it takes too long.
        """
        self.ask("run", str(submission.resolve()))
        self._left = min(self._left, self._seconds)  # it has started

    def make(self, expression: str) -> Any:
        """What an expression of its names makes, as a stand-in."""
        return self.ask("make", expression)

    def ask(self, *question: Any) -> Any:
        """The answer to a question about what the submission holds."""
        reads = question[0] in ("get", "vars", "dir", "shares")
        self.changes += not reads
        answer = self._exchange(question, held=question[0] in ("get", "vars"))
        try:
            if answer[0] == "value":
                _, value, changed = answer
                for number, values in changed:
                    self._write(int(number), values)
                return value
            about = Raised.of(answer[1])
            error = self._ended(about) or about.error()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, MemoryError):
            raise SubmissionEndedError(_NO_ANSWER) from None
        raise error

    def _ended(self, about: Raised) -> SubmissionEndedError | None:
        """What ends a case: an exit, or an exception that no judge may catch."""
        if "SystemExit" in about.bases:
            line = "?" if about.line is None else about.line
            text = f"it ended its process by sys.exit({about.code}) (line {line}); remove that call"
            return SubmissionEndedError(text)
        if "Exception" not in about.bases:
            return SubmissionEndedError(f"raised {about.type} (line {about.line}): {about.text}")
        return None

    def _exchange(self, question: tuple[Any, ...], held: bool = False, answered: bool = True) -> list[Any]:
        """Send, and receive in the time that is left."""
        started = time.monotonic()
        deadline = started + self._left
        self._asked_with: dict[int, Any] = {}
        watched = _Deadline(self._connection, deadline)
        try:
            send(watched, question, self._refer)
            if not answered:
                return []
            answer = receive(watched, lambda entry, value: self._find(entry, value, held))
        except TimeoutError:
            raise self._timeout() from None
        except MessageError as error:
            raise SubmissionEndedError(f"{_NO_ANSWER}: {error}") from None
        except (EOFError, OSError):
            raise self._why() from None
        # On a busy machine every answer waits for its turn
        self._left -= max(time.monotonic() - started - _WAITING_SECONDS, 0.0)
        return answer

    def _timeout(self) -> SubmissionTimeoutError:
        return SubmissionTimeoutError(f"it took more than {self._seconds:g} s and was ended")

    def _why(self) -> SubmissionEndedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.returncode
        if code in (-signal.SIGXCPU, -signal.SIGKILL):  # the limits of computing time, soft and hard
            return self._timeout()
        return SubmissionEndedError(f"it ended its process, as os._exit does (exit code {code})")

    def _refer(self, value: Any) -> int | None:
        """The number by which the other process knows an object; a new one, below zero, for an array of ours."""
        number = self._numbers.get(id(value))
        if number is None and isinstance(value, np.ndarray):
            number = -len(self._kept) - 1
            self._keep(number, value)
        elif number is None:
            if not isinstance(value, (dict, list)):
                raise TypeError(f"a submission cannot be given {type(value).__name__}")
            return None
        self._asked_with[number] = value
        return number

    def _keep(self, number: int, value: Any) -> None:
        self._numbers[id(value)] = number
        self._objects[number] = value
        self._kept.append(value)  # so that no other object gets its id

    def _find(self, entry: dict[str, Any], value: Any, held: bool) -> Any:
        """What stands here for an object of the other process."""
        about = entry["ref"]
        number = int(about["number"])
        if entry["is"] == "object":
            known = self._objects.get(number)
            if known is None:
                self._keep(number, known := stand_in(self, about))
            return known
        if number in self._asked_with and entry["is"] == "array":
            return self._asked_with[number]  # an array that was given comes back; what it holds by now comes beside
        if held:
            value = _held(self, value, bool(entry.get("writeable", True)))
        self._keep(number, value)
        return value

    def _write(self, number: int, values: Array) -> None:
        """Values that the other process has written into an array that it was given with the question."""
        own = self._asked_with.get(number)
        if isinstance(own, np.ndarray) and own.shape == values.shape and own.flags.writeable and own is not values:
            np.copyto(own, values, casting="unsafe")


def _held(session: Session, value: Any, writeable: bool) -> Any:
    """A value that writes through to the other process."""
    if isinstance(value, np.ndarray):
        array = value.view(HeldArray)
        array._asks = session
        array.flags.writeable = writeable
        return array
    container = HeldDict(value) if isinstance(value, dict) else HeldList(value)
    container.asks = session
    return container


class _Deadline:
    """A socket whose every step has to be done by a time."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def _watch(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)

    def sendall(self, content: bytes) -> None:
        self._watch()
        self._connection.sendall(content)

    def recv_into(self, view: memoryview) -> int:
        self._watch()
        return self._connection.recv_into(view)
