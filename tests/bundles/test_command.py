"""``codehunch bundles``: every subcommand, its words and its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle
from codehunch.cli.bundles import app
from codehunch.cli.console import CommandError

Make = Callable[..., Bundle]


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_bundle_through_its_life(embedded: Bundle, make: Make, tmp_path: Path) -> None:
    assert call("install", make("mine").path) == (0, "installed mine 1.0, now active for defects\n", "")
    code, out, _ = call("list")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["bundle", "version", "task", "languages", "size", "origin"]
    assert rows[1] == ["came-along", "1.0", "defects", "python", "1.0", "kB", "came", "with", "codehunch"]
    assert rows[2] == ["*", "mine", "1.0", "defects", "python", "1.0", "kB", "installed"]
    assert call("use", "came-along") == (0, "came-along 1.0 is now active for defects\n", "")
    assert call("rollback") == (0, "mine 1.0 is active for defects again\n", "")
    code, out, _ = call("verify")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["ok", "ok"])
    archive = tmp_path / "mine.zip"
    assert call("export", "mine", "--out", archive) == (0, f"wrote {archive}\n", "")
    code, out, _ = call("remove", "mine")
    assert (code, out.startswith("removed mine-")) == (0, True)
    assert call("install", "--no-use", archive) == (0, "installed mine 1.0\n", "")
    assert store.active_bundle("defects").manifest.id == "came-along"


def test_show_tells_labels_thresholds_and_metrics(embedded: Bundle) -> None:
    code, out, _ = call("show", "came-along")
    assert code == 0
    for words in ("clean, variable-misuse", "from 0.800, 0.50 warnings per 1,000 clean lines", "metrics top1", "512"):
        assert words in out
    code, out, _ = call("show", "came-along", "--json")
    assert json.loads(out)["id"] == "came-along"


def test_show_of_a_generation_bundle(home: Path, make: Make) -> None:
    store.install(make("g", task="generation").path)
    code, out, _ = call("show", "g")
    assert code == 0
    assert "up to 128 tokens" in out


def test_list_as_json(embedded: Bundle, make: Make) -> None:
    store.install(make("mine").path)
    code, out, _ = call("list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [(row["id"], row["active"], row["embedded"]) for row in rows] == [
        ("came-along", False, True),
        ("mine", True, False),
    ]
    assert rows[1]["size"] == 1002


def test_list_of_nothing(home: Path) -> None:
    assert call("list") == (0, "no bundles; install one with `codehunch bundles install FILE`\n", "")


def test_a_broken_choice_is_listed_and_the_fallback_is_named(embedded: Bundle, make: Make) -> None:
    bundle = store.install(make("mine").path)
    (bundle.path / "manifest.json").write_text("{")
    code, out, err = call("list")
    assert code == 0
    assert "broken" in out
    assert "warning: " in err
    assert "(using came-along, which came with codehunch)" in err
    code, out, err = call("verify")
    assert code == 2
    assert "ok      embedded:defects" in out
    assert f"broken  {bundle.path.name}" in out
    assert err.startswith(f"error: {bundle.path / 'manifest.json'}: not complete JSON")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["use", "x"], "error: x: no such bundle; see `codehunch bundles list`"),
        (["show", "x"], "error: x: no such bundle"),
        (["remove", "x"], "error: x: no such bundle"),
        (["verify", "x"], "error: x: no such bundle"),
        (["export", "x"], "error: x: no such bundle"),
        (["install", "x"], "error: x: there is no such file or folder"),
        (["rollback"], "no earlier choice for defects is known"),
        (["rollback", "poetry"], "error: no task 'poetry': choose defects or generation"),
        (["add", "x", "--task", "poetry"], "error: no task 'poetry': choose defects or generation"),
    ],
)
def test_errors_are_one_line_on_stderr(home: Path, arguments: list[str], sentence: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_names_are_not_read_as_markup(home: Path, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make()
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    manifest["license"] = "[bold]MIT[/bold]"
    (bundle.path / "manifest.json").write_text(json.dumps(manifest))
    store.install(bundle.path)
    assert "[bold]MIT[/bold]" in call("show", "small")[1]


def test_add_without_the_extra_says_which(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "codehunch_training"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CommandError, match=r"^torch is missing: pip install 'codehunch\[train\]'$"):
        call("add", "some/checkpoint")
