"""The seal at the end of a weight file: a checksum of every byte in front of it.

NumPy's archive checks its entries and nothing else: a flipped date, a flipped flag or bytes behind the end go unseen.
The seal is the archive's comment, so NumPy and every zip program still read the file. A CRC-32 finds damage; who wrote
the file is another question, which no checksum inside it could answer.
"""

from __future__ import annotations

import io
import zipfile
import zlib

_MARK = b"crosscheck crc32 "
_DIGITS = 8


def sealed(archive: io.BytesIO) -> bytes:
    """The bytes of a zip archive with a seal as its comment."""
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = _MARK + b"0" * _DIGITS
    body = archive.getvalue()[:-_DIGITS]
    return body + _checksum(body)


def broken(content: bytes) -> str | None:
    """Why these bytes are not what was sealed, or None where they are."""
    body, digits = content[:-_DIGITS], content[-_DIGITS:]
    if not body.endswith(_MARK):
        return "it does not end in a seal: it was cut off, rewritten or added to"
    if digits != _checksum(body):
        return "its bytes have changed since it was written"
    return None


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
