from __future__ import annotations

import pytest

from codehunch.syntax.decoding import SourceUnreadable, SourceUnwritable, decode_source, encode_source

READABLE = [
    (b"", "", "utf-8", False),
    (b"x = 1\r\ny = 2\r", "x = 1\r\ny = 2\r", "utf-8", False),
    (b"\xef\xbb\xbfx", "x", "utf-8", True),
    (b"\xef\xbb\xbf# coding: latin-1\n\xc3\xa9", "# coding: latin-1\n\xe9", "utf-8", True),
    (b"\xf0\x9f\x98\x80", "\U0001f600", "utf-8", False),
    (b"# coding: latin-1\n# \xe9", "# coding: latin-1\n# \xe9", "iso8859-1", False),
    (b"# coding: iso-8859-1-unix\n\xe9", "# coding: iso-8859-1-unix\n\xe9", "iso8859-1", False),
    (b"# coding: utf-8-unix\n\xc3\xa9", "# coding: utf-8-unix\n\xe9", "utf-8", False),
    (b"\n# -*- coding: koi8-r -*-\n\xc1", "\n# -*- coding: koi8-r -*-\n\u0430", "koi8-r", False),
    (b"#!/bin/sh\r# vim: set fileencoding=cp1252 :\r\x80", None, "cp1252", False),
    (b"\x0c # coding: cp1252\n\x80", "\x0c # coding: cp1252\n\u20ac", "cp1252", False),
    (b"# coding: shift_jis\n\x82\xa0", "# coding: shift_jis\n\u3042", "shift_jis", False),
    # Below code, or on the third line, a cookie is an ordinary comment.
    (b"x = 1\n# coding: latin-1\n", None, "utf-8", False),
    (b"\n\n# coding: latin-1\n", None, "utf-8", False),
    (b"x = 1  # coding: latin-1\n", None, "utf-8", False),
]


@pytest.mark.parametrize(("data", "text", "encoding", "bom"), READABLE)
def test_reads_and_writes_back(data: bytes, text: str | None, encoding: str, bom: bool) -> None:
    decoded = decode_source(data)
    if text is not None:
        assert decoded.source.text == text
    assert (decoded.encoding, decoded.bom) == (encoding, bom)
    assert encode_source(decoded, decoded.source.text) == data


UNREADABLE = [
    (b"\x89PNG\0\0", "binary file"),
    (b"\xff\xfex\0", "UTF-16"),
    (b"\xff\xfe\0\0x\0\0\0", "UTF-32"),
    (b"a = 1\r\nb = '\xe9'", "byte 0xe9 on line 2"),
    (b"\xed\xa0\x80", "not valid UTF-8"),
    (b"\xf0\x9f", "not valid UTF-8"),
    (b"# coding: uft-8\n", "unknown encoding 'uft-8' in the coding comment on line 1"),
    (b"\n# coding: nonsense\n", "on line 2"),
    (b"# coding: ascii\n\xe9", "not valid ASCII"),
    (b"# coding: euc-jp\n\xff", "EUC_JP"),
    *((f"# coding: {name}\n".encode(), "encoding") for name in ("utf-16", "cp037", "rot13", "zlib", "hex", "aliases")),
    *((f"# coding: {name}\n\\d".encode(), "unusable") for name in ("unicode_escape", "utf-7", "idna", "punycode")),
]


@pytest.mark.parametrize(("data", "reason"), UNREADABLE)
def test_names_why_a_file_is_unreadable(data: bytes, reason: str) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        decode_source(data)
    assert reason in caught.value.reason
    assert "\n" not in caught.value.reason


def test_a_fix_keeps_encoding_mark_and_line_ends() -> None:
    latin = decode_source(b"# coding: latin-1\r\nx = '\xe9'\r\n")
    assert encode_source(latin, latin.source.text.replace("x", "y")) == b"# coding: latin-1\r\ny = '\xe9'\r\n"
    marked = decode_source(b"\xef\xbb\xbfx = 1")
    assert encode_source(marked, "y = 1") == b"\xef\xbb\xbfy = 1"


def test_a_character_the_encoding_lacks_is_named() -> None:
    decoded = decode_source(b"# coding: latin-1\n")
    with pytest.raises(SourceUnwritable, match=r"U\+20AC on line 2"):
        encode_source(decoded, "# coding: latin-1\n\u20ac")
