"""SourceText against an independent computation: lines split by hand, columns counted by codecs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codehunch.syntax.text import PositionEncoding, SourceText

# Line ends, near-line-ends that Python's splitlines takes for line ends, and characters of 1 to 4 UTF-8 bytes.
TEXTS = st.text(alphabet="ab\n\r\t\f\v\x1c\x85\u2028\u2029\xe9\u20ac\U0001f600\U00010000\ufeff\u0301", max_size=40)
ENCODINGS: tuple[PositionEncoding, ...] = ("utf-8", "utf-16", "utf-32")
UNIT = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def units(text: str, encoding: PositionEncoding) -> int:
    codec, size = UNIT[encoding]
    return len(text.encode(codec)) // size


def split_lines(text: str) -> list[str]:
    """Lines with their ends, one character at a time."""
    lines, line, index = [], "", 0
    while index < len(text):
        line += text[index]
        if text[index] == "\r" and text[index + 1 : index + 2] == "\n":
            index += 1
            line += "\n"
        if line[-1] in "\r\n":
            lines.append(line)
            line = ""
        index += 1
    return [*lines, line]


@given(TEXTS)
def test_lines(text: str) -> None:
    source, lines = SourceText(text), split_lines(text)
    assert source.line_count == len(lines)
    assert [source.line(row) for row in range(len(lines))] == [line.rstrip("\r\n") for line in lines]
    assert source.line(len(lines)) == ""


@given(TEXTS, st.sampled_from(ENCODINGS))
def test_positions_round_trip(text: str, encoding: PositionEncoding) -> None:
    source, lines = SourceText(text), split_lines(text)
    offset = 0
    for row, line in enumerate(lines):
        content = line.rstrip("\r\n")
        for column in range(len(line) + (row == len(lines) - 1)):
            expected = units(line[:column], encoding)
            assert source.position(offset + column, encoding) == (row, expected)
            # Inside \r\n there is no position of its own: it means the line's end.
            back = offset + min(column, len(content))
            assert source.offset(row, expected, encoding) == back
        offset += len(line)


@given(TEXTS, st.integers(-2, 9), st.integers(-2, 30), st.sampled_from(ENCODINGS))
def test_any_position_means_a_place_in_its_line(text: str, row: int, column: int, encoding: PositionEncoding) -> None:
    source = SourceText(text)
    offset = source.offset(row, column, encoding)
    if row < 0:
        assert offset == 0
        return
    line = source.line_span(row)
    assert line.start <= offset <= line.end
    # The longest prefix of the line that needs no more than `column` units.
    content = line.of(text)
    fits = [index for index in range(len(content) + 1) if units(content[:index], encoding) <= max(0, column)]
    assert offset == line.start + fits[-1]


@pytest.mark.parametrize(
    ("text", "position", "encoding", "offset"),
    [
        ("\U0001f600x", (0, 1), "utf-16", 0),  # inside the surrogate pair
        ("\U0001f600x", (0, 2), "utf-16", 1),
        ("\U0001f600x", (0, 3), "utf-8", 0),
        ("a\u2028b\nc", (0, 2), "utf-16", 2),
        ("a\fb\nc", (1, 0), "utf-8", 4),
        ("a\rb", (1, 1), "utf-32", 3),
        ("ab\r\ncd", (0, 99), "utf-16", 2),
        ("ab", (5, 0), "utf-16", 2),
    ],
)
def test_offsets(text: str, position: tuple[int, int], encoding: PositionEncoding, offset: int) -> None:
    assert SourceText(text).offset(*position, encoding) == offset


def test_lone_surrogates_count() -> None:
    source = SourceText("\ud83dx")
    assert source.position(1, "utf-16") == (0, 1)
    assert source.position(1, "utf-8") == (0, 3)
