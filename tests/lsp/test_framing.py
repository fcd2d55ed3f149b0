"""Bodies in a byte stream, however the stream is cut."""

from __future__ import annotations

import pytest

from codehunch.lsp.framing import MOST_BODY_BYTES, Framer, FramingError, frame

STREAM = frame(b'{"a":1}') + b"Content-Type: x\r\ncontent-length:  2 \r\n\r\n{}" + frame(b"") + frame("é".encode())
BODIES = [b'{"a":1}', b"{}", b"", "é".encode()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_any_cut(size: int) -> None:
    framer = Framer()
    found = [body for at in range(0, len(STREAM), size) for body in framer.feed(STREAM[at : at + size])]
    assert found == BODIES


@pytest.mark.parametrize("header", [b"Content-Length: x", b"Content-Length: -1", b"Length: 2", b"", b"\xff\xfe"])
def test_a_bad_header_is_reported_and_the_stream_goes_on(header: bytes) -> None:
    assert list(Framer().feed(header + b"\r\n\r\n" + frame(b"{}"))) == [None, b"{}"]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 70_000,
        b"Content-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1),
        b"Content-Length: 1" + b"0" * 99 + b"\r\n\r\n",
    ],
)
def test_what_is_no_message_stream(data: bytes) -> None:
    with pytest.raises(FramingError):
        list(Framer().feed(data))
