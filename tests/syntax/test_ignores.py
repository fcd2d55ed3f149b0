from __future__ import annotations

import pytest

from codehunch.syntax.ignores import find_suppressions
from codehunch.syntax.parsing import parse

ALL = frozenset("*")
CH101 = frozenset(["ch101"])
IGNORE = "# codehunch: ignore"

ROWS = [
    (f"x = 1  {IGNORE}\n", {0: ALL}),
    (f"x = 1  {IGNORE}[CH101]\n", {0: CH101}),
    (f"x = 1  {IGNORE}[CH101, off-by-one]\n", {0: CH101 | {"off-by-one"}}),
    (f"x = 1  {IGNORE}[]\n", {0: frozenset()}),
    ("x = 1  #codehunch:IGNORE [ch101\n", {0: CH101}),
    (f"x = 1  # noqa: E501 {IGNORE}\n", {0: ALL}),
    (f"x = 1\n{IGNORE}\ny = 2\n", {1: ALL}),
    (f"x = '{IGNORE}'\n", {}),
    (f'"""\n{IGNORE}\n"""\n', {}),
    (f"x = 1  {IGNORE}d\ny = 1  {IGNORE}-line\nz = 1 # xcodehunch: ignore\n", {}),
    # Only the last row of a statement speaks for all of it.
    (f"x = f(\n  1,\n  2,\n)  {IGNORE}\n", {0: ALL, 1: ALL, 2: ALL, 3: ALL}),
    (f"x = f(\n  1,  {IGNORE}\n  2,\n)\n", {1: ALL}),
    (f"x = 1; y = (\n  2)  {IGNORE}\nz = 3\n", {0: ALL, 1: ALL}),
    (f"if a:\n  return (\n    1)  {IGNORE}\n", {1: ALL, 2: ALL}),
    (f"x = '''\n'''  {IGNORE}\n", {0: ALL, 1: ALL}),
    (f"x = [\n  lambda:  {IGNORE}\n  1]\n", {1: ALL}),
    # A header's last row speaks for the header, not for the block.
    (f"if (a and\n    b):  {IGNORE}\n    c\n", {0: ALL, 1: ALL}),
    (f"@d\ndef f(a,\n      b):  {IGNORE}\n    c\n", {1: ALL, 2: ALL}),
    (f"try:\n  a\nexcept (A,\n  B):  {IGNORE}\n  c\n", {2: ALL, 3: ALL}),
    (f"while (a\n  or b):  {IGNORE}[CH101]\n  c  {IGNORE}\n", {0: CH101, 1: CH101, 2: ALL}),
    # Line ends and columns are the source text's own.
    (f"é = '\U0001f600'  {IGNORE}\r\ny = 1\r\nz = 2  {IGNORE}[CH101]\r\n", {0: ALL, 2: CH101}),
    (f"x = (\n  1  {IGNORE}\n", {1: ALL}),
]


@pytest.mark.parametrize(("text", "rows"), ROWS)
def test_rows(text: str, rows: dict[int, frozenset[str]]) -> None:
    suppressions = find_suppressions(parse(text))
    assert suppressions.rows == rows
    assert suppressions.file == frozenset()


@pytest.mark.parametrize(
    ("text", "silenced"),
    [
        ("# codehunch: ignore-file\n", ALL),
        ("x = 1\n# codehunch: ignore-file[CH101,variable-misuse]\n", CH101 | {"variable-misuse"}),
        ("# codehunch: ignore-file[CH101]\n# codehunch: ignore-file[CH102]\n", CH101 | {"ch102"}),
        ("'# codehunch: ignore-file'\n", frozenset()),
        ("# codehunch: ignore-files\n", frozenset()),
    ],
)
def test_files(text: str, silenced: frozenset[str]) -> None:
    suppressions = find_suppressions(parse(text))
    assert suppressions.file == silenced
    assert not suppressions.rows


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("ignore", True),
        ("ignore[CH101]", True),
        ("ignore[ch101]", True),
        ("ignore[Variable-Misuse]", True),
        ("ignore[CH102]", False),
        ("ignore[CH102, CH101]", True),
        ("ignore-file[CH101]", True),
        ("ignore-file[wrong-comparison]", False),
    ],
)
def test_silences_codes_and_kinds(comment: str, expected: bool) -> None:
    suppressions = find_suppressions(parse(f"x = 1  # codehunch: {comment}\n"))
    assert suppressions.silences("CH101", "variable-misuse", 0) is expected
    assert suppressions.silences("CH101", "variable-misuse", 1) is (expected and "file" in comment)


def test_c_comments_count() -> None:
    text = "int f(void) {\n  return g(a,\n    b); /* codehunch: ignore[CH101] */\n}  // codehunch: ignore\n"
    assert find_suppressions(parse(text, "c")).rows == {1: CH101, 2: CH101, 3: ALL}
