"""Formats, on findings made by hand: exact places, nothing lost, nothing that could harm a terminal or a parser."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import pytest
from rich.cells import cell_len

from codehunch.cli.formats import Checked, open_report, place_of
from codehunch.cli.formats.text import finding_block
from codehunch.cli.options import STDIN, Format
from codehunch.defects.findings import Edit, Finding, Fix
from codehunch.defects.kinds import KINDS
from codehunch.files import Skipped
from codehunch.syntax.spans import Span
from codehunch.syntax.text import SourceText

AREA = "def area(width, height):\n    if width < 0 or width < 0:\n        return None\n    return width * height\n"


def finding(text: str, flagged: str | Span, fix: str | None = None, code: str = "CH101") -> Finding:
    """A finding on ``flagged``: a span, or the last place where that text stands."""
    span = flagged if isinstance(flagged, Span) else Span(text.rindex(flagged), text.rindex(flagged) + len(flagged))
    kind = next(kind for kind in KINDS if kind.code == code)
    fixes = (Fix(f"use `{fix}`", (Edit(span, fix),), 0.5),) if fix is not None else ()
    return Finding(code, kind.name, f"`{span.of(text)}` is odd", span, "area", 0.93456, fixes)


def report(format: Format, files: Iterable[Checked | Skipped], problems: tuple[str, ...] = ()) -> str:
    parts: list[str] = []
    stream = open_report(format, parts.append)
    stream.begin()
    for file in files:
        stream.checked(file) if isinstance(file, Checked) else stream.skipped(file)
    stream.end(problems)
    return "".join(parts)


def one(text: str, *findings: Finding, path: str = "/p/a.py") -> Checked:
    return Checked(path, SourceText(text), findings)


# --- text -------------------------------------------------------------------------------------------------------------


def test_text_is_the_block_people_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    flagged = Span(AREA.index("or width") + 3, AREA.index("or width") + 8)
    found = finding(AREA, flagged, "height")
    path = str(tmp_path / "src" / "area.py")
    assert report(Format.TEXT, [one(AREA, found, path=path)]) == (
        "src/area.py:2:21: CH101 `width` is odd (confidence 0.93)\n"
        "  |\n"
        "2 |     if width < 0 or width < 0:\n"
        "  |                     ^^^^^\n"
        "  = help: use `height`\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("line", "flagged", "expected_line", "expected_carets"),
    [
        ("x = a", "a", "x = a", "    ^"),
        ("total += item", "total", "total += item", "^^^^^"),
        ("\tx = bad", "bad", "    x = bad", "        ^^^"),
        ("x\t= bad", "bad", "x   = bad", "      ^^^"),
        # Wide characters take two cells, combining ones none.
        ("名前 = bad", "bad", "名前 = bad", "       ^^^"),
        ("x = 名前", "名前", "x = 名前", "    ^^^^"),
        ("e\u0301 = bad", "bad", "e\u0301 = bad", "    ^^^"),
        ("s = '😀'; bad", "bad", "s = '😀'; bad", "          ^^^"),
        # What could move the cursor or turn the line around is shown as a picture.
        ("x = '\x1b[31m' + bad", "bad", "x = '␛[31m' + bad", "              ^^^"),
        ("x = '\x7f' + bad", "bad", "x = '␡' + bad", "          ^^^"),
        ("x = '\u202e' + bad", "bad", "x = '\ufffd' + bad", "          ^^^"),
        ("\x0cx = bad", "bad", "␌x = bad", "     ^^^"),
        ("x = '\u2028' + bad", "bad", "x = '\ufffd' + bad", "          ^^^"),
    ],
)
def test_carets_stand_under_the_token(line: str, flagged: str, expected_line: str, expected_carets: str) -> None:
    text = f"0\n{line}\r\n0\n"
    lines = finding_block("/p/a.py", SourceText(text), finding(text, flagged)).plain.split("\n")
    assert lines[2] == f"2 | {expected_line}"
    assert lines[3] == f"  | {expected_carets}"


def test_the_margin_grows_with_the_row() -> None:
    text = "pass\n" * 1233 + "x = bad\n"
    lines = finding_block("/p/a.py", SourceText(text), finding(text, "bad", "good")).plain.split("\n")
    assert lines[1:5] == ["     |", "1234 | x = bad", "     |     ^^^", "     = help: use `good`"]


def test_an_empty_span_gets_one_caret() -> None:
    text = "def f():\n    x = 1\n"
    for at, carets in ((text.index("x"), "    ^"), (len(text) - 1, "         ^")):
        block = finding_block("/p/a.py", SourceText(text), finding(text, Span(at, at))).plain
        assert block.split("\n")[3] == f"  | {carets}"


def test_a_span_over_several_lines_is_marked_on_its_first() -> None:
    text = "x = f(a,\n      b)\n"
    block = finding_block("/p/a.py", SourceText(text), finding(text, Span(4, len(text) - 1))).plain
    assert block.split("\n")[1:4] == ["  |", "1 | x = f(a,", "  |     ^^^^"]


@pytest.mark.parametrize("before", [0, 10, 100, 1_000_000])
@pytest.mark.parametrize("after", [0, 10, 100, 1_000_000])
@pytest.mark.parametrize("length", [1, 30, 300])
@pytest.mark.parametrize("filler", ["x", "名", "\t"])
def test_long_lines_are_cut_around_the_token(before: int, after: int, length: int, filler: str) -> None:
    text = filler * before + "b" * length + filler * after
    found = finding(text, Span(before, before + length))
    for width in (20, 80, 500):
        _, _, line, carets, *_ = finding_block("/p/a.py", SourceText(text), found, width).plain.split("\n")
        assert cell_len(line) <= max(44, min(width, 144))
        marked = [char for char, caret in zip(_cells(line), carets, strict=False) if caret == "^"]
        assert marked
        assert set(marked) <= {"b", "…"}
        if length == 1:
            assert marked == ["b"]


def _cells(line: str) -> list[str]:
    """One entry per cell; a wide character fills two."""
    return [char for char in line for _ in range(cell_len(char))]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.py", "a.py"),
        ("sub/a.py", "sub/a.py"),
        ("../a.py", "{up}/a.py"),
        ("new\nline.py", "new\\nline.py"),
        ("esc\x1b[1m.py", "esc\\x1b[1m.py"),
        ("\udce9.py", "\\udce9.py"),
        ("ünï.py", "ünï.py"),
    ],
)
def test_paths_as_people_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, shown: str) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = os.path.normpath(tmp_path / path)
    block = report(Format.TEXT, [one(AREA, finding(AREA, "height"), path=absolute)])
    assert block.startswith(shown.format(up=tmp_path.parent) + ":4:20: CH101")


def test_stdin_has_a_name() -> None:
    assert report(Format.TEXT, [one(AREA, finding(AREA, "height"), path=STDIN)]).startswith("<stdin>:4:20: CH101")


def test_messages_stay_on_their_line() -> None:
    found = attrs.evolve(finding(AREA, "height"), message="a\nb\x1b", fixes=(Fix("c\r\nd", (), 0.1),))
    block = report(Format.TEXT, [one(AREA, found)])
    assert "CH101 a\\nb\\x1b (confidence" in block
    assert "help: c\\r\\nd\n" in block


def test_no_findings_no_text() -> None:
    assert report(Format.TEXT, [one(AREA), Skipped("/p/b.py", "binary")]) == ""
    assert report(Format.GITHUB, [one(AREA), Skipped("/p/b.py", "binary")]) == ""


# --- json -------------------------------------------------------------------------------------------------------------


def test_json_rows_follow_the_schema() -> None:
    flagged = Span(AREA.index("or width") + 3, AREA.index("or width") + 8)
    rows = json.loads(report(Format.JSON, [one(AREA, finding(AREA, flagged, "height"), finding(AREA, "height"))]))
    assert rows[0] == {
        "filename": "/p/a.py",
        "code": "CH101",
        "kind": "variable-misuse",
        "message": "`width` is odd",
        "location": {"row": 2, "column": 21},
        "end_location": {"row": 2, "column": 26},
        "function": "area",
        "confidence": 0.9346,
        "fix": {
            "message": "use `height`",
            "edits": [
                {
                    "content": "height",
                    "location": {"row": 2, "column": 21},
                    "end_location": {"row": 2, "column": 26},
                }
            ],
        },
    }
    keys = "filename code kind message location end_location function confidence fix"
    assert list(rows[0]) == keys.split()
    assert rows[1]["fix"] is None


@pytest.mark.parametrize("files", [0, 1, 3])
@pytest.mark.parametrize("findings", [0, 1, 3])
def test_json_is_one_array(files: int, findings: int) -> None:
    found = [finding(AREA, "height")] * findings
    text = report(Format.JSON, [one(AREA, *found, path=f"/p/{n}.py") for n in range(files)], ("interrupted",))
    assert [row["filename"] for row in json.loads(text)] == [f"/p/{n}.py" for n in range(files) for _ in found]
    assert text.endswith("]\n")


def test_only_the_best_fix_is_in_the_row() -> None:
    first, second = Fix("one", (), 0.9), Fix("two", (), 0.8)
    rows = json.loads(report(Format.JSON, [one(AREA, attrs.evolve(finding(AREA, "height"), fixes=(first, second)))]))
    assert rows[0]["fix"] == {"message": "one", "edits": []}


@pytest.mark.parametrize(
    ("text", "flagged", "start", "end"),
    [
        ("s = '😀'; bad", "bad", (1, 10), (1, 13)),  # code points, not UTF-16 units or bytes
        ("a\x0cb\nbad", "bad", (2, 1), (2, 4)),  # a form feed ends no line
        ("a\u2028b bad", "bad", (1, 5), (1, 8)),
        ("a\rbad", "bad", (2, 1), (2, 4)),
        ("a\r\nbad", "bad", (2, 1), (2, 4)),
        ("\tbad", "bad", (1, 2), (1, 5)),
        ("f(a,\n  b)", "a,\n  b", (1, 3), (2, 4)),
    ],
)
def test_places_count_code_points_from_one(
    text: str, flagged: str, start: tuple[int, int], end: tuple[int, int]
) -> None:
    (row,) = json.loads(report(Format.JSON, [one(text, finding(text, flagged))]))
    assert (row["location"]["row"], row["location"]["column"]) == start
    assert (row["end_location"]["row"], row["end_location"]["column"]) == end


@pytest.mark.parametrize("name", ["\udce9.py", 'quo"te.py', "back\\slash.py", "ünï 😀.py", "line\nend.py"])
@pytest.mark.parametrize("format", [Format.JSON, Format.SARIF])
def test_odd_names_survive(format: Format, name: str) -> None:
    log = json.loads(report(format, [one(AREA, finding(AREA, "height"), path=f"/p/{name}")]))
    if format is Format.JSON:
        assert log[0]["filename"] == f"/p/{name}"
    else:
        uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert os.fsdecode(unquote_bytes(urlsplit(uri).path)) == f"/p/{name}"


def unquote_bytes(text: str) -> bytes:
    return unquote(text, errors="surrogateescape").encode("utf-8", "surrogateescape")


# --- github -----------------------------------------------------------------------------------------------------------


def test_github_annotations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    path = str(tmp_path / "a.py")
    flagged = Span(AREA.index("or width") + 3, AREA.index("or width") + 8)
    assert report(Format.GITHUB, [one(AREA, finding(AREA, flagged), path=path)]) == (
        f"::warning title=CodeHunch (CH101),file={tmp_path.name}/a.py,line=2,col=21,endLine=2,endColumn=26"
        "::a.py:2:21: CH101 `width` is odd (confidence 0.93)\n"
    )


def test_github_escapes_what_its_syntax_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = attrs.evolve(finding(AREA, "height"), message="50% :: a,b\n::error::x")
    line = report(Format.GITHUB, [one(AREA, found, path="/p/a:b,c%.py")])
    assert line.count("\n") == 1
    assert "file=/p/a%3Ab%2Cc%25.py,line=4" in line
    assert "CH101 50%25 :: a,b%0A::error::x (confidence 0.93)" in line


def test_github_gets_no_end_column_over_several_lines() -> None:
    text = "x = f(a,\n      b)\n"
    line = report(Format.GITHUB, [one(text, finding(text, Span(4, len(text) - 1)))])
    assert "line=1,col=5,endLine=2::" in line


# --- sarif ------------------------------------------------------------------------------------------------------------


def sarif(files: Iterable[Checked | Skipped], problems: tuple[str, ...] = ()) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(report(Format.SARIF, files, problems))
    check_sarif(log)
    return log


def check_sarif(log: dict[str, Any]) -> None:
    """What SARIF 2.1.0 demands of the parts that are written, clause by clause."""
    assert log["version"] == "2.1.0"  # 3.13.2
    assert log["$schema"].startswith("https://")  # 3.13.3
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]  # 3.19.8
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", driver["semanticVersion"])  # 3.19.12
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)  # 3.19.23
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["help"]["text"]  # 3.12.3: markdown needs text beside it
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")  # 3.50.3
        assert len(set(rule["properties"]["tags"])) == len(rule["properties"]["tags"])  # 3.8.2
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")  # 3.14.17
    for base in run["originalUriBaseIds"].values():
        assert base["uri"].endswith("/")  # 3.14.14
        assert urlsplit(base["uri"]).scheme == "file"
    for result in run["results"]:
        assert result["message"]["text"]  # 3.27.11
        assert ids[result["ruleIndex"]] == result["ruleId"]  # 3.27.6
        assert result["level"] in ("none", "note", "warning", "error")  # 3.27.10
        assert 0.0 <= result["rank"] <= 100.0  # 3.27.25
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            check_physical(run, location["physicalLocation"])
        for related in result.get("relatedLocations", []):
            assert related["id"] >= 0  # 3.28.2
        for fix in result.get("fixes", []):
            assert fix["artifactChanges"]  # 3.55.3
            for change in fix["artifactChanges"]:
                check_artifact(run, change["artifactLocation"])
                assert change["replacements"]  # 3.56.3
                for replacement in change["replacements"]:
                    check_region(replacement["deletedRegion"])  # 3.57.3
    for invocation in run["invocations"]:
        assert isinstance(invocation["executionSuccessful"], bool)  # 3.20.14
        for notification in invocation["toolExecutionNotifications"]:
            assert notification["message"]["text"]  # 3.58.5
            assert notification["level"] in ("none", "note", "warning", "error")
            for location in notification.get("locations", []):
                check_artifact(run, location["physicalLocation"]["artifactLocation"])


def check_physical(run: dict[str, Any], location: dict[str, Any]) -> None:
    check_artifact(run, location["artifactLocation"])
    check_region(location["region"])


def check_artifact(run: dict[str, Any], location: dict[str, str]) -> None:
    uri = location["uri"]
    assert re.fullmatch(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", uri)  # RFC 3986 2
    if "uriBaseId" in location:
        assert location["uriBaseId"] in run["originalUriBaseIds"]  # 3.4.4
        assert urlsplit(uri).scheme == ""
        assert not uri.startswith("/")
    else:
        assert urlsplit(uri).scheme


def check_region(region: dict[str, int]) -> None:
    assert region["startLine"] >= 1  # 3.30.5
    assert region["startColumn"] >= 1
    assert (region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"])


def test_sarif_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    flagged = Span(AREA.index("or width") + 3, AREA.index("or width") + 8)
    evidence = (Span(9, 14),)
    found = attrs.evolve(finding(AREA, flagged, "height"), evidence=evidence)
    log = sarif([one(AREA, found, path=str(tmp_path / "a b" / "ä.py"))])
    run = log["runs"][0]
    region = {"startLine": 2, "startColumn": 21, "endLine": 2, "endColumn": 26}
    artifact = {"uri": "a%20b/%C3%A4.py", "uriBaseId": "SRCROOT"}
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == tmp_path.as_uri() + "/"
    assert run["results"] == [
        {
            "ruleId": "CH101",
            "ruleIndex": 1,
            "level": "warning",
            "message": {"text": "`width` is odd"},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": artifact, "region": region},
                    "logicalLocations": [{"fullyQualifiedName": "area", "kind": "function"}],
                }
            ],
            "rank": 93.46,
            "properties": {"confidence": 0.9346},
            "relatedLocations": [
                {
                    "id": 1,
                    "physicalLocation": {
                        "artifactLocation": artifact,
                        "region": {"startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 15},
                    },
                }
            ],
            "fixes": [
                {
                    "description": {"text": "use `height`"},
                    "artifactChanges": [
                        {
                            "artifactLocation": artifact,
                            "replacements": [{"deletedRegion": region, "insertedContent": {"text": "height"}}],
                        }
                    ],
                }
            ],
        }
    ]
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_sarif_lists_every_rule_with_its_page() -> None:
    rules = sarif([])["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [kind.code for kind in KINDS]
    assert rules[1]["name"] == "VariableMisuse"
    assert rules[1]["help"]["markdown"].startswith("# CH101 variable-misuse")


def test_sarif_tells_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    skipped = [Skipped(str(tmp_path / "b.py"), "binary file"), Skipped("/elsewhere/c.py", "cannot be read")]
    (run,) = sarif([one(AREA), *skipped], ("x.py: there is no such file",))["runs"]
    assert run["results"] == []
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    texts = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert texts == ["skipped: binary file", "skipped: cannot be read", "x.py: there is no such file"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/elsewhere/a.py", {"uri": "file:///elsewhere/a.py"}), (STDIN, {"uri": "stdin:"})],
)
def test_sarif_paths_outside_the_working_folder(
    path: str, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = sarif([one(AREA, finding(AREA, "height"), path=path)])["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == expected


@pytest.mark.parametrize("findings", [0, 1, 2])
def test_sarif_is_valid_for_any_number_of_results(findings: int) -> None:
    log = sarif([one(AREA, *[finding(AREA, "height", code=kind.code)] * findings) for kind in KINDS])
    assert len(log["runs"][0]["results"]) == findings * len(KINDS)


def test_nothing_is_held_back() -> None:
    """Memory stays flat: every format but the end of SARIF is written as soon as a file is done."""
    for format in Format:
        parts: list[str] = []
        stream = open_report(format, parts.append)
        stream.begin()
        before = len("".join(parts))
        stream.checked(one(AREA, finding(AREA, "height")))
        assert len("".join(parts)) > before + 50


def test_a_place_at_the_end_of_the_text() -> None:
    place = place_of(SourceText("a\n"), Span(2, 2))
    assert (place.row, place.column, place.end_row, place.end_column) == (2, 1, 2, 1)
