"""Bytes of a file to text and back: byte order mark, PEP 263 cookie, else UTF-8. Line ends stay as they are."""

from __future__ import annotations

import codecs
import re

import attrs

from codehunch.syntax.text import SourceText

_LINE_END = re.compile(rb"\r\n|\n|\r")
# PEP 263, "Defining the Encoding"; the second line counts only below a blank line or a comment.
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#|$)")
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Codecs that rewrite plain ASCII source: no file means them, and offsets into their text help nobody.
_UNFIT = {"unicode_escape", "raw_unicode_escape", "punycode", "idna", "undefined", "utf_7"}


class SourceUnreadable(ValueError):
    """The bytes are no source text. ``reason`` is one line for the person who owns the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SourceUnwritable(ValueError):
    """A text holds a character that the file's own encoding cannot write; ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.frozen
class DecodedSource:
    """A file's text and what is needed to write it back byte for byte."""

    source: SourceText
    encoding: str
    """Python's name of the codec, such as ``utf-8`` or ``iso8859-1``."""
    bom: bool
    """Whether the file starts with a UTF-8 byte order mark, which is not part of the text."""


def decode_source(data: bytes) -> DecodedSource:
    """Read a whole file's bytes. Raises SourceUnreadable for binary files, unknown cookies and wrong bytes.

    A byte order mark outranks a cookie that contradicts it: the mark was written by a program.
    """
    for mark, name in _WIDE_MARKS:
        if data.startswith(mark):
            raise SourceUnreadable(f"{name} text; save it as UTF-8")
    if b"\0" in data:
        raise SourceUnreadable("binary file (it holds NUL bytes)")
    bom = data.startswith(codecs.BOM_UTF8)
    if bom:
        data = data[len(codecs.BOM_UTF8) :]
    encoding = "utf-8" if bom else _declared_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        row = len(_LINE_END.findall(data[: error.start])) + 1
        byte = f"byte 0x{data[error.start]:02x} " if error.start < len(data) else ""
        hint = "; save it as UTF-8 or name its encoding in a '# coding:' comment" if encoding == "utf-8" else ""
        raise SourceUnreadable(f"not valid {encoding.upper()} ({byte}on line {row}){hint}") from error
    except (UnicodeError, ValueError) as error:
        raise SourceUnreadable(f"not valid {encoding.upper()}") from error
    return DecodedSource(SourceText(text), encoding, bom)


def encode_source(decoded: DecodedSource, new_text: str) -> bytes:
    """Bytes for ``new_text`` in the encoding, and with the byte order mark, the file was read with.

    Raises SourceUnwritable where the encoding lacks a character."""
    try:
        data = new_text.encode(decoded.encoding)
    except UnicodeEncodeError as error:
        row = SourceText(new_text).row_of(error.start) + 1
        wrong = f"U+{ord(new_text[error.start]):04X} on line {row}"
        raise SourceUnwritable(f"{decoded.encoding.upper()} cannot write {wrong}; save the file as UTF-8") from error
    return codecs.BOM_UTF8 + data if decoded.bom else data


def _declared_encoding(data: bytes) -> str:
    start = 0
    for row in (1, 2):
        end = _LINE_END.search(data, start)
        line = data[start : end.start() if end else len(data)]
        cookie = _COOKIE.match(line)
        if cookie:
            return _known_encoding(cookie.group(1), row)
        if end is None or not _BLANK.match(line):
            break
        start = end.end()
    return "utf-8"


def _known_encoding(cookie: bytes, row: int) -> str:
    written = cookie.decode("ascii", "replace")
    # Emacs writes the line ends behind the name (utf-8-unix); tokenize.detect_encoding allows for both.
    name = written[:12].lower().replace("_", "-")
    if name == "utf-8" or name.startswith("utf-8-"):
        return "utf-8"
    if name in ("latin-1", "iso-8859-1", "iso-latin-1") or name.startswith(("latin-1-", "iso-8859-1-", "iso-latin-1-")):
        return "iso8859-1"
    try:
        codec = codecs.lookup(written)
        # A cookie that its own codec reads differently (UTF-16, EBCDIC) cannot be meant.
        fits = codec.name.replace("-", "_") not in _UNFIT and cookie.decode(codec.name) == written
    except (LookupError, UnicodeError) as error:
        raise SourceUnreadable(f"unknown encoding {written!r} in the coding comment on line {row}") from error
    if not fits:
        raise SourceUnreadable(f"unusable encoding {written!r} in the coding comment on line {row}")
    return codec.name
