"""Messages between the server and its own worker: pickle behind an eight-byte length.

Both ends are this program and the pipe is private to them. Bundles, which come from elsewhere, are never pickled.
"""

from __future__ import annotations

import pickle
import struct
from typing import BinaryIO

HEADER = struct.Struct("!Q")


def pack(message: object) -> bytes:
    """One frame, ready to write."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> object:
    return pickle.loads(body)


def read_frame(stream: BinaryIO) -> object | None:
    """The next message of a blocking stream, or ``None`` at its end."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    body = stream.read(length)
    return unpack(body) if len(body) == length else None
