"""What the protocol says about text, written the slow and obvious way: the judge of the fast one."""

from __future__ import annotations

from typing import Any


def line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, its end excluded."""
    spans, start, index = [], 0, 0
    while index < len(text):
        if text[index] in "\r\n":
            spans.append((start, index))
            index += 2 if text[index : index + 2] == "\r\n" else 1
            start = index
        else:
            index += 1
    spans.append((start, len(text)))
    return spans


def units(char: str, encoding: str) -> int:
    if encoding == "utf-32":
        return 1
    if encoding == "utf-16":
        return 2 if ord(char) > 0xFFFF else 1
    return len(char.encode("utf-8", "surrogatepass"))


def offset(text: str, line: int, character: int, encoding: str) -> int:
    spans = line_spans(text)
    if line >= len(spans):
        return len(text)
    start, end = spans[line]
    at, seen = start, 0
    while at < end and seen + units(text[at], encoding) <= character:
        seen += units(text[at], encoding)
        at += 1
    return at


def apply(text: str, changes: list[dict[str, Any]], encoding: str) -> str:
    for change in changes:
        if "range" not in change:
            text = change["text"]
            continue
        ends = [offset(text, place["line"], place["character"], encoding) for place in change["range"].values()]
        text = text[: min(ends)] + change["text"] + text[max(ends) :]
    return text
