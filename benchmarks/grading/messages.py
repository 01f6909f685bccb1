"""What a judge and a submission's process say to each other: plain values and arrays as bytes, objects as numbers."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

Array = np.ndarray

LARGEST = 128 << 20
"""Bytes of a message that are taken."""

_DEEPEST = 8
"""Containers in containers that are handed over by value."""

_FRAME = struct.Struct("<QI")
_NUMBERS = re.compile(r"[<>|=]?[biufc]\d{1,2}")


class MessageError(ValueError):
    """What came is no message, or too long for one."""


class Connection(Protocol):
    """What messages go through, a socket."""

    def sendall(self, content: bytes) -> None:
        """Send all of it."""

    def recv_into(self, view: memoryview) -> int:
        """Fill some of it; return how much, 0 at the end."""


def send(connection: Connection, values: tuple[Any, ...], refer: Callable[[Any], Any]) -> None:
    """Send values; ``refer`` gives what stands for an object, and for the identity of an array, dict or list."""
    parts: list[bytes] = []
    header = json.dumps([_packed(value, refer, parts, 0) for value in values]).encode()
    size = sum(map(len, parts))
    connection.sendall(_FRAME.pack(len(header) + size, len(header)) + header)
    for part in parts:
        connection.sendall(part)


def receive(connection: Connection, find: Callable[[dict[str, Any], Any], Any]) -> list[Any]:
    """The next values; ``find`` gives what a reference stands for, from its entry and the value that came with it.

    Nothing that came is run: numbers are numbers, arrays are bytes of a known kind.

    Raises:
        MessageError: what came is no message.
        EOFError: the other side has ended.
    """
    length, head = _FRAME.unpack(_exactly(connection, _FRAME.size))
    if length > LARGEST or head > length:
        raise MessageError(f"a message of {length >> 20} MiB came, more than {LARGEST >> 20} MiB are not taken")
    content = _exactly(connection, length)
    try:
        return [_unpacked(entry, find, memoryview(content)[head:]) for entry in json.loads(bytes(content[:head]))]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise MessageError(f"what came is no message: {error}") from None


def _exactly(connection: Connection, count: int) -> bytearray:
    content = bytearray(count)
    view = memoryview(content)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return content


def _packed(value: Any, refer: Callable[[Any], Any], parts: list[bytes], depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)) and type(value).__module__ == "builtins":
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return {"is": "array", "scalar": True, **_bytes_of(np.asarray(value), parts)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return {"is": "array", "ref": refer(value), **_bytes_of(value, parts)}
    if isinstance(value, (tuple, list, Mapping)) and depth < _DEEPEST:

        def inner(one: Any) -> Any:
            return _packed(one, refer, parts, depth + 1)

        if isinstance(value, Mapping):
            pairs = [[inner(key), inner(one)] for key, one in value.items()]
            return {"is": "dict", "ref": refer(value), "items": pairs}
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {"is": kind, "ref": None if kind == "tuple" else refer(value), "items": [inner(one) for one in value]}
    return {"is": "object", "ref": refer(value)}


def _bytes_of(value: Array, parts: list[bytes]) -> dict[str, Any]:
    """An array as bytes, with the order of its axes in memory."""
    value = np.asarray(value)
    at = sum(map(len, parts))
    parts.append(np.ascontiguousarray(value).tobytes())
    return {
        "dtype": value.dtype.str,
        "shape": value.shape,
        "strides": None if value.flags.c_contiguous or min(value.strides) <= 0 else value.strides,
        "writeable": value.flags.writeable,
        "at": at,
    }


def _array_of(entry: dict[str, Any], content: memoryview) -> Array:
    if not _NUMBERS.fullmatch(entry["dtype"]):
        raise MessageError(f"an array of {entry['dtype']!r} is not taken")
    dtype, shape = np.dtype(entry["dtype"]), tuple(int(size) for size in entry["shape"])
    count = int(np.prod(shape, dtype=object)) if shape else 1
    strides = entry.get("strides")
    # A hole in memory may be as large as a message, not larger
    room = sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if strides else 0
    if min(shape, default=0) < 0 or not 0 <= room <= LARGEST:
        raise MessageError("an array of a size that cannot be")
    value = np.frombuffer(content, dtype, count, entry["at"]).reshape(shape)
    if strides is None or not value.size:
        return value.copy()
    memory = np.empty(room + dtype.itemsize, np.uint8)
    apart = np.ndarray(shape, dtype, memory, 0, strides)
    apart[...] = value
    return apart


def _unpacked(entry: Any, find: Callable[[dict[str, Any], Any], Any], content: memoryview) -> Any:
    if not isinstance(entry, dict):
        if isinstance(entry, list):
            raise MessageError("a list that is not said to be one")
        return entry
    kind = entry["is"]
    value: Any = None
    if kind == "array":
        value = _array_of(entry, content)
        if entry.get("scalar"):
            return value[()]
    elif kind == "dict":
        value = {_unpacked(key, find, content): _unpacked(one, find, content) for key, one in entry["items"]}
    elif kind in ("list", "tuple"):
        items = [_unpacked(one, find, content) for one in entry["items"]]
        value = items if kind == "list" else tuple(items)
    elif kind != "object":
        raise MessageError(f"an unknown kind {kind!r}")
    return value if entry.get("ref") is None else find(entry, value)
