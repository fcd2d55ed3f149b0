"""Messages in a byte stream: ``Content-Length`` headers and a body, as the base protocol defines them."""

from __future__ import annotations

from collections.abc import Iterator

MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 512 * 1024 * 1024


class FramingError(ValueError):
    """The stream is no message stream, or not any more. Nothing after this can be trusted."""


class Framer:
    """Collects bytes and hands out whole bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The bodies that ``data`` completes; ``None`` stands for a header block without a usable length.

        Raises FramingError when a header or a body is larger than any honest one.
        """
        self._buffer += data
        while True:
            if self._length is None:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(self._buffer) > MOST_HEADER_BYTES:
                        raise FramingError("no end of the message header in sight")
                    return
                self._length = _content_length(bytes(self._buffer[:end]))
                del self._buffer[: end + 4]
                if self._length is None:
                    yield None
                    continue
            if len(self._buffer) < self._length:
                return
            body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            self._length = None
            yield body


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _content_length(header: bytes) -> int | None:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
            if length > MOST_BODY_BYTES:
                raise FramingError(f"a message of {length} bytes")
            return length
    return None
