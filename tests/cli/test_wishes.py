"""What a person does not want to see, and fixes written into files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.feedback import Event, append, place_of, read_events
from codehunch.syntax.text import SourceText

from .conftest import CLEAN, WRONG, Cli

HIGH = ("--sensitivity", "high", "--format", "json")


@pytest.fixture(autouse=True)
def _one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is opened once for this file: what is tested here is what becomes of findings."""
    monkeypatch.setattr("codehunch.defects.detector.Detector", _detector)


_opened: dict[str, Detector] = {}


def _detector(bundle: Bundle, **options: Any) -> Detector:
    if str(bundle.path) not in _opened:
        _opened[str(bundle.path)] = Detector(bundle)
    return _opened[str(bundle.path)]


def found(cli: Cli, *arguments: str, code: int | None = None) -> list[dict[str, Any]]:
    result = cli("check", *arguments, *HIGH)
    rows: list[dict[str, Any]] = json.loads(result.out)
    assert result.code == (code if code is not None else int(bool(rows))), result.err
    return rows


def dismiss(path: Path, nth: int = 0) -> str:
    """Dismiss a finding as the editor does, by its fingerprint."""
    bundle = default_bundle("defects")
    assert bundle is not None
    findings = _detector(bundle).check(SourceText(path.read_text()), "python", CheckOptions(sensitivity="high"))
    append(Event("dismissed", path=place_of(str(path)), fingerprint=findings[nth].fingerprint, code="CH101"))
    return findings[nth].fingerprint


def test_what_was_dismissed_is_left_out_until_it_is_cleared(cli: Cli, project: Path) -> None:
    path = project / "a.py"
    path.write_text(WRONG)
    everything = found(cli)
    fingerprint = dismiss(path)
    assert found(cli) == everything[1:]
    assert found(cli, "--no-feedback") == everything
    assert "1 dismissed" in cli("check", *HIGH[:2]).err
    # The text may move, the file too.
    path.write_text("# A line more.\n\n" + WRONG)
    assert len(found(cli)) == len(everything) - 1
    path.rename(project / "b.py")
    assert len(found(cli)) == len(everything) - 1
    assert fingerprint in cli("feedback", "list").out
    assert cli("feedback", "clear", "unknown").code == 2
    assert cli("feedback", "clear", fingerprint).code == 0
    assert len(found(cli)) == len(everything)


def test_the_feedback_commands(cli: Cli, project: Path) -> None:
    assert cli("feedback", "list").out == ""
    for number in range(3):
        append(Event("dismissed", path="untitled:1", fingerprint=f"f{number}", before="text\n"))
    listed = cli("feedback", "list")
    assert (listed.code, len(listed.out.splitlines())) == (0, 3)
    assert "text" not in listed.out
    assert [json.loads(line)["before"] for line in cli("feedback", "list", "--json").out.splitlines()] == ["text\n"] * 3
    assert cli("feedback", "export", "out.jsonl").code == 0
    assert [json.loads(line)["fingerprint"] for line in Path("out.jsonl").read_text().splitlines()] == [
        "f0",
        "f1",
        "f2",
    ]
    assert cli("feedback", "export", "-").out == Path("out.jsonl").read_text()
    # Nothing is erased without being asked for by name.
    assert cli("feedback", "clear").code == 2
    assert len(list(read_events())) == 3
    assert cli("feedback", "clear", "--yes").code == 0
    assert list(read_events()) == []


def test_a_baseline_is_written_and_survives_edits(cli: Cli, project: Path) -> None:
    (project / "src").mkdir()
    path = project / "src" / "a.py"
    path.write_text(WRONG)
    everything = found(cli)
    written = cli("check", "--write-baseline", *HIGH[:2])
    assert (written.code, written.out) == (0, "")
    text = Path(".codehunch-baseline.json").read_text()
    assert json.loads(text)["files"]["src/a.py"][0]["code"] == everything[0]["code"]
    option = ("--baseline", ".codehunch-baseline.json")
    assert found(cli) == everything  # Only who names it, leaves out.
    assert found(cli, *option) == []
    path.write_text("import os\n\n\n" + WRONG.replace("def total(", "def unknown(") + CLEAN)
    moved = [row for row in everything if row["function"] == "total"]
    assert moved
    assert len(found(cli, *option)) == len(moved)
    # The settings name it, for the editor as well.
    (project / ".codehunch.toml").write_text('baseline = ".codehunch-baseline.json"\n')
    assert len(found(cli, "src")) == len(moved)
    assert cli("check", "src", "--write-baseline", *HIGH[:2]).code == 0
    assert found(cli, "src") == []
    # Written again it is the same; what is not read this time stays known, what is gone does not.
    before = Path(".codehunch-baseline.json").read_text()
    (project / "clean.py").write_text(CLEAN)
    assert cli("check", "clean.py", "--write-baseline", *HIGH[:2]).code == 0
    assert Path(".codehunch-baseline.json").read_text() == before
    path.rename(project / "b.py")
    assert found(cli, "b.py") == []


@pytest.mark.parametrize("content", ["", "[]", '{"version": 9}', '{"version": 1, "files": {"a": [1]}}', "\x00"])
def test_a_file_that_is_no_baseline(cli: Cli, project: Path, content: str) -> None:
    (project / "a.py").write_text(WRONG)
    (project / "b.json").write_text(content)
    result = cli("check", "--baseline", "b.json", *HIGH[:2])
    assert result.code == 2
    assert "b.json: not a baseline" in result.err
    assert cli("check", "--baseline", "missing.json").code == 2


def test_changed_since(cli: Cli, project: Path) -> None:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    (project / "a.py").write_text(WRONG)
    (project / "b.py").write_text(WRONG)
    everything = found(cli, "b.py")
    for command in ("init", "add .", "commit -m x"):
        subprocess.run(["git", *command.split()], check=True, capture_output=True, env={**os.environ, **names})
    assert found(cli, "--changed-since", "HEAD") == []
    (project / "new.py").write_text(WRONG)
    (project / "b.py").write_text(WRONG + "\n\n" + CLEAN)
    assert {os.path.basename(row["filename"]) for row in found(cli, "--changed-since", "HEAD")} == {"new.py"}
    flagged = everything[0]["function"].rpartition(".")[2]
    (project / "b.py").write_text(WRONG.replace(f"def {flagged}(", f"def {flagged}_2("))
    rows = found(cli, "b.py", "--changed-since", "HEAD")
    assert rows
    assert {row["function"].rpartition(".")[2] for row in rows} == {f"{flagged}_2"}
    unknown = cli("check", "--changed-since", "nothing")
    assert (unknown.code, "no revision 'nothing'" in unknown.err) == (2, True)
    (project / ".codehunch.toml").write_text('changed-since = "HEAD"\n')
    assert {os.path.basename(row["filename"]) for row in found(cli)} == {"new.py", "b.py"}


@pytest.mark.parametrize(
    ("encoding", "newline", "mode"),
    [("utf-8", "\n", 0o644), ("utf-8-sig", "\r\n", 0o600), ("latin-1", "\r\n", 0o755), ("utf-8", "mixed", 0o644)],
)
def test_fixes_are_written(cli: Cli, project: Path, encoding: str, newline: str, mode: int) -> None:
    head = "# coding: latin-1\n# caf\u00e9\n" if encoding == "latin-1" else "# caf\u00e9\n"
    text = head + WRONG
    text = text.replace("\n", "\r\n", 3) if newline == "mixed" else text.replace("\n", newline)
    path = project / "real.py"
    before = text.encode(encoding)
    path.write_bytes(before)
    path.chmod(mode)
    (project / "link.py").symlink_to(path)
    rows = found(cli, "link.py")
    assert any(row["fix"] for row in rows)
    patch = cli("check", "--diff", "link.py", *HIGH[:2])
    assert path.read_bytes() == before
    assert patch.code == 1
    left = found(cli, "link.py", "--fix")
    after = path.read_bytes()
    assert len(left) < len(rows)
    assert left == found(cli, "link.py")
    changed = [(a, b) for a, b in zip(before.split(b"\n"), after.split(b"\n"), strict=True) if a != b]
    assert changed
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert (project / "link.py").is_symlink()
    assert sorted(os.listdir(project)) == ["link.py", "real.py"]
    if encoding != "latin-1":
        # The patch says the same.
        path.write_bytes(before)
        subprocess.run(
            ["git", "apply", "-p1", "-"],
            input=patch.out.replace("link.py", "real.py").encode(),
            check=True,
            cwd=project,
        )
        assert path.read_bytes() == after


def test_missing_imports_are_written_as_the_project_writes_them(cli: Cli, project: Path) -> None:
    package = project / "shop"
    package.mkdir()
    (project / "pyproject.toml").touch()
    (package / "__init__.py").touch()
    (package / "errors.py").write_text("class OutOfStock(Exception):\n    pass\n")
    (package / "cart.py").write_text("from .errors import OutOfStock\n\n\ndef nothing():\n    raise OutOfStock\n")
    path = package / "orders.py"
    code = (
        'def first(path):\n    with open(os.path.join(path, "orders")) as file:\n        return file.readline()\n\n\n'
    )
    code += "def order(count):\n    if not count:\n        raise OutOfStock(count)\n    return count\n\n\n"
    code += "def listed(path):\n    return sorted(os.listdir(path))\n"
    path.write_text(code)
    wanted = {row["fix"]["message"] for row in found(cli, "shop/orders.py")}
    assert wanted == {"Insert `import os`", "Insert `from .errors import OutOfStock`"}
    assert found(cli, "shop/orders.py", "--fix") == []
    head = path.read_text().removesuffix(code)
    assert set(head.split("\n")) == {"import os", "from .errors import OutOfStock", ""}


def test_the_diff_of_nothing(cli: Cli, project: Path) -> None:
    (project / "a.py").write_text(CLEAN)
    result = cli("check", "--diff")
    assert (result.code, result.out) == (0, "")
    named = cli("check", "--diff", "-", *HIGH[:2], "--stdin-filename", "x.py", stdin=WRONG.encode())
    assert named.out.startswith("--- a/x.py\n+++ b/x.py\n@@")


@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file_is_named(cli: Cli, project: Path) -> None:
    (project / "a.py").write_text(WRONG)
    (project / "a.py").chmod(0o444)
    result = cli("check", "--fix", *HIGH[:2])
    assert (result.code, "may not be written" in result.err) == (2, True)


def test_a_file_that_changes_under_our_hands_is_left_alone(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codehunch.defects import fixing

    path = project / "a.py"
    path.write_text(WRONG)
    real = fixing.fix

    def slow(*arguments: Any) -> Any:
        path.write_text(WRONG + "# typed meanwhile\n")
        return real(*arguments)

    monkeypatch.setattr("codehunch.cli.scan.fix", slow)
    result = cli("check", "--fix", *HIGH[:2])
    assert (result.code, "changed while it was checked" in result.err) == (2, True)
    assert path.read_text() == WRONG + "# typed meanwhile\n"


@pytest.mark.parametrize(
    "arguments",
    [("--fix", "--diff"), ("--fix", "--write-baseline"), ("--fix", "-"), ("--diff", "--format", "sarif")],
)
def test_what_does_not_go_together(cli: Cli, project: Path, arguments: tuple[str, ...]) -> None:
    assert cli("check", *arguments).code == 2


def test_only_some_languages(cli: Cli, project: Path) -> None:
    (project / "a.py").write_text(WRONG)
    (project / ".codehunch.toml").write_text('languages = ["c"]\n')
    assert found(cli) == []
