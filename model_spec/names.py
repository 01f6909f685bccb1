"""Names that come from files: which of them can name a folder, and how any foreign text is shown in a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LONGEST = 100
"""Characters of a model's or layer's name; file systems allow 255 bytes, endings included."""

_SEPARATORS = '/\\:*?"<>|'
_OF_WINDOWS = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789")}


def shown(value: Any, longest: int = 200) -> str:
    r"""A value as Python writes it, on one line: control characters and direction marks escaped, long ones cut.

    >>> print(shown("a\x1b[31m\nb"), shown([1, 2]), shown("x" * 30, longest=12))
    'a\x1b[31m\nb' [1, 2] 'xxxxxxxxxxx...
    """
    try:
        text = repr(_beginning(value, longest))
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list in lists in lists
        return f"a {type(value).__name__} too large to be shown"
    text = printable(text)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _beginning(value: Any, longest: int, depth: int = 5) -> Any:
    """The value without what would not be shown anyway, so that a list of millions is not written out."""
    if isinstance(value, (str, bytes)):
        return value[: longest + 1]
    if type(value) not in (list, tuple, dict) or len(value) < longest and not depth:
        return value
    if isinstance(value, dict):
        return {key: _beginning(part, longest, depth - 1) for key, part in list(value.items())[:longest]}
    return type(value)(_beginning(part, longest, depth - 1) for part in value[:longest])


def printable(text: str) -> str:
    r"""The text with everything escaped that a terminal would act on or that could forge a line.

    >>> print(printable("red: \x1b[31m, next\nline, turned \u202e"))
    red: \x1b[31m, next\nline, turned \u202e
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def nearest(word: Any, known: Iterable[str]) -> str:
    """ " (did you mean 'adam'?)" where a known word is near to this one, else "".

    >>> print("unknown optimizer 'adma'" + nearest("adma", ["sgd", "adam"]))
    unknown optimizer 'adma' (did you mean 'adam'?)
    """
    import difflib  # where something went wrong alone

    by_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word)[:100].lower(), by_case, n=1)
    return f" (did you mean {by_case[near[0]]!r}?)" if near else ""


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names one after the other, the first ones of many.

    >>> listed("abcdef", most=3)
    'a, b, c and 3 more (crosscheck list)'
    """
    every = list(names)
    more = f" and {len(every) - most} more (crosscheck list)" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def check_folder_name(what: str, name: Any) -> str:
    """Return a name that is one plain folder name on every system.

    Raises:
        ValueError: with the name escaped and what is wrong with it.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"{what} must be a non-empty string, got {shown(name)}")
    wrong = _wrong_with(name)
    if wrong:
        raise ValueError(
            f"{what} must be a name that a folder can have, got {shown(name)}: it {wrong}; "
            f"take letters, digits, spaces and _.-, such as 'my_model'"
        )
    return name


def _wrong_with(name: str) -> str | None:
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > 2 * LONGEST:
        return f"has {len(name)} characters, at most {LONGEST} are taken"
    if not name.isprintable():
        return "holds characters that are not printed, such as control characters or direction marks"
    found = [letter for letter in _SEPARATORS if letter in name]
    if found:
        return f"holds {' '.join(found)}"
    if name != name.strip() or name.endswith("."):
        return "begins or ends with a space, or ends with a dot"
    if name.partition(".")[0].strip().lower() in _OF_WINDOWS:
        return "is the name of a device on Windows"
    return None
