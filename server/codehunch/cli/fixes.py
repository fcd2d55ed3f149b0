"""``check --fix`` and ``check --diff``: verified fixes written into files, or shown as a patch."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codehunch.cli import console
from codehunch.feedback import write_atomically
from codehunch.syntax.decoding import SourceUnreadable, SourceUnwritable, decode_source, encode_source

if TYPE_CHECKING:
    from codehunch.cli.reading import Loaded
    from codehunch.syntax.text import SourceText


class NotWritten(Exception):
    """A file was left as it is. The message says why, in one line."""


def write_fixed(item: Loaded, after: SourceText) -> None:
    """Replace a file's text by one rename, in its own encoding and with its own line ends.

    Raises NotWritten where the file has changed since it was read, cannot be written, or cannot hold the new text.
    """
    name = console.shown(item.path)
    try:
        data = Path(item.path).read_bytes()
        decoded = decode_source(data)
        if decoded.source.text != item.source.text:
            raise NotWritten(f"{name}: changed while it was checked; nothing was fixed, run the command again")
        if encode_source(decoded, decoded.source.text) != data:
            raise NotWritten(f"{name}: its {decoded.encoding} text cannot be written back byte for byte; not fixed")
        if not os.access(item.path, os.W_OK):
            raise NotWritten(f"{name}: may not be written; not fixed")
        write_atomically(Path(item.path), encode_source(decoded, after.text))
    except (SourceUnreadable, SourceUnwritable) as error:
        raise NotWritten(f"{name}: {error.reason}; not fixed") from error
    except OSError as error:
        raise NotWritten(f"{name}: {error.strerror}; not fixed") from error


def patch(path: str, before: SourceText, after: SourceText) -> str:
    """A unified diff that ``patch -p1`` and ``git apply`` take; lines keep the ends they have."""
    name = console.shown(path).replace(os.sep, "/")
    old, new = (_lines(source) for source in (before, after))
    parts = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(_whole(line) for line in parts)


def _lines(source: SourceText) -> list[str]:
    """With their ends. A lone carriage return ends no line for patch."""
    lines = source.text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _whole(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def coloured(text: str) -> Iterator[tuple[str, str]]:
    """Lines of a patch with the style a terminal gives them."""
    for line in text.splitlines(keepends=True):
        head = line[:1]
        style = "bold" if line.startswith(("---", "+++")) else {"+": "green", "-": "red", "@": "cyan"}.get(head, "")
        yield line, style
