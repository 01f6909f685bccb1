"""An HDF5 file looked through before its arrays are read: plain arrays of its own, of the sizes it has room for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import h5py

from model_spec.names import shown

DEEPEST = 50
"""Groups in groups."""

MOST_OBJECTS = 100_000

_EXPANSION = 20
_NEVER_TOO_LARGE = 1 << 26
"""Bytes that arrays may take however small the file is; beyond, ``_EXPANSION`` times the file's size."""


def array_sizes(file: h5py.File, size: int) -> dict[str, int]:
    """{path: number of values} of all arrays in a file of ``size`` bytes, none of which has been read.

    Raises:
        ValueError: a link out of the file or to another name, a group in itself, an array kept in another file, one
            of objects or text, a packed one (Keras packs none), more data than the file has room for.
    """
    found: dict[str, int] = {}
    claimed: dict[str, int] = {}
    for path, dataset in _datasets(file):
        _check_storage(path, dataset)
        # A chunk may be larger than the array that it holds
        claimed[path] = max(dataset.size, math.prod(dataset.chunks or ())) * dataset.dtype.itemsize
        found[path] = dataset.size
    total = sum(claimed.values())
    if total > max(_NEVER_TOO_LARGE, _EXPANSION * size):
        largest = max(claimed, key=lambda path: claimed[path])
        raise ValueError(
            f"its arrays claim {total:,} bytes, most of them {shown(largest)}, more than a file of {size:,} bytes "
            f"can hold"
        )
    return found


def _datasets(file: h5py.File) -> Iterator[tuple[str, Any]]:
    """All arrays, links looked at and never followed."""
    seen = {_address(file)}
    waiting = [("", 0, file)]
    while waiting:
        path, depth, group = waiting.pop()
        for name in group:
            inner = f"{path}/{name}" if path else str(name)
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{shown(inner)} is a link ({type(link).__name__}); only plain arrays are read")
            member = group[name]
            if _address(member) in seen:
                raise ValueError(f"{shown(inner)} is another name of what stands elsewhere in the file")
            seen.add(_address(member))
            if len(seen) > MOST_OBJECTS:
                raise ValueError(f"it has more than {MOST_OBJECTS:,} groups and arrays")
            if isinstance(member, h5py.Group):
                if depth + 1 > DEEPEST:
                    raise ValueError(f"its groups are nested more than {DEEPEST} deep")
                waiting.append((inner, depth + 1, member))
            elif isinstance(member, h5py.Dataset):
                yield inner, member
            else:
                raise ValueError(f"{shown(inner)} is a {type(member).__name__}; only plain arrays are read")


def _address(member: Any) -> Any:
    return h5py.h5o.get_info(member.id).addr


def _check_storage(path: str, dataset: Any) -> None:
    if dataset.shape is None:
        raise ValueError(f"array {shown(path)} has no values")
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"array {shown(path)} is kept in another file; only arrays of the file itself are read")
    if dataset.dtype.kind not in "fiub" or dataset.dtype.subdtype is not None:
        raise ValueError(f"array {shown(path)} holds {dataset.dtype}; only numbers are read")
    if properties.get_nfilters():
        # HDF5 unpacks whatever comes out, with no bound, and loads plug-ins for what it cannot unpack itself
        raise ValueError(f"array {shown(path)} is packed (filter {properties.get_filter(0)[0]}); save it unpacked")
    if len(dataset.shape) > 16 or math.prod(dataset.shape) != dataset.size:
        raise ValueError(f"array {shown(path)} has shape {shown(dataset.shape)}; no such array is read")


def text_attribute(file: h5py.File, name: str, largest: int) -> str | None:
    """An attribute of one text; None where there is none.

    Raises:
        ValueError: it is no single text, or longer than ``largest`` bytes.
    """
    if name not in file.attrs:
        return None
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind not in "OS":
        raise ValueError(f"its attribute {name} is no text")
    if attribute.get_storage_size() > largest:
        raise ValueError(
            f"its attribute {name} has {attribute.get_storage_size():,} bytes, at most {largest:,} are read"
        )
    value = file.attrs[name]
    text = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise ValueError(f"its attribute {name} is no text")
    return text
