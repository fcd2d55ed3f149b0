"""``codehunch doctor``: a healthy machine passes, every broken state is named with its remedy."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from codehunch.bundles import store
from codehunch.bundles.bundle import Bundle
from codehunch.cli import doctor as room
from codehunch.cli.doctor import Check, doctor, examine, runtime_checks, runtime_distributions

Make = Callable[..., Bundle]

app = typer.Typer()
app.command()(doctor)


def wheel(site: Path, name: str, files: dict[str, str]) -> None:
    """What installing one onnxruntime wheel writes: the files, and metadata with their sizes."""
    info = site / f"{name.replace('-', '_')}-1.31.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")
    rows = [f"onnxruntime/{file},sha256=x,{len(content)}" for file, content in files.items()]
    (info / "RECORD").write_text("\n".join([*rows, "onnxruntime/gone.pyc,,", f"{info.name}/RECORD,,"]))
    (site / "onnxruntime").mkdir(exist_ok=True)
    for file, content in files.items():
        (site / "onnxruntime" / file).write_text(content)


def runtime(site: Path) -> list[Check]:
    return list(runtime_checks(runtime_distributions([str(site)])))


CPU = {"__init__.py": "cpu", "cpu.so": "library"}
GPU = {"__init__.py": "cuda and cpu", "cuda.so": "library"}


def test_one_runtime_is_fine(tmp_path: Path) -> None:
    wheel(tmp_path, "onnxruntime-gpu", GPU)
    assert [(check.name, check.status) for check in runtime(tmp_path)] == [("onnxruntime-gpu", "ok")]


def test_no_runtime_is_a_problem(tmp_path: Path) -> None:
    assert runtime(tmp_path) == [
        Check("onnxruntime", "problem", "is not installed", "pip install onnxruntime"),
    ]


def test_both_runtimes_are_a_warning_with_the_swap(tmp_path: Path) -> None:
    wheel(tmp_path, "onnxruntime", CPU)
    wheel(tmp_path, "onnxruntime-gpu", GPU)
    first, *others = runtime(tmp_path)
    assert first.status == "warning"
    assert "onnxruntime and onnxruntime-gpu are both installed" in first.detail
    assert first.remedy == "pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    assert {check.status for check in others} == {"ok"}


def test_one_runtime_left_over_from_two_is_a_problem(tmp_path: Path) -> None:
    wheel(tmp_path, "onnxruntime", CPU)
    (tmp_path / "onnxruntime" / "__init__.py").write_text(GPU["__init__.py"])  # the other wheel wrote this one
    (tmp_path / "onnxruntime" / "cpu.so").unlink()  # and its removal took this one along
    (check,) = runtime(tmp_path)
    assert check.status == "problem"
    assert check.detail == "1.31.1: 1 of its files are missing, 1 belong to another wheel"
    assert check.remedy == "pip install --force-reinstall --no-deps onnxruntime"


def test_files_of_another_wheel_alone_are_a_problem(tmp_path: Path) -> None:
    wheel(tmp_path, "onnxruntime", CPU)
    (tmp_path / "onnxruntime" / "__init__.py").write_text(GPU["__init__.py"])
    (check,) = runtime(tmp_path)
    assert (check.status, check.detail) == ("problem", "1.31.1: 0 of its files are missing, 1 belong to another wheel")


def test_the_real_installation_is_read() -> None:
    assert [check.status for check in runtime_checks(runtime_distributions())] == ["ok"]


@pytest.mark.parametrize("broken", [types.ModuleType("onnxruntime"), None])
def test_a_runtime_that_does_not_load(monkeypatch: pytest.MonkeyPatch, broken: types.ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", broken)
    check = next(check for check in room._runtime() if check.name == "providers")
    assert check.status == "problem"
    assert "onnxruntime does not load" in check.detail
    assert check.remedy == "pip install --force-reinstall --no-deps onnxruntime"


def found(name: str) -> Check:
    return next(check for check in examine() if check.name == name)


def test_versions_grammars_and_folders(home: Path) -> None:
    for name in ("codehunch", "python", "tokenizers", "tree-sitter", "pygls", "providers", "bundle folder"):
        assert found(name).status == "ok"
    assert "CPUExecutionProvider" in found("providers").detail
    assert found("grammars").detail.startswith("python")
    assert not home.exists(), "an examination leaves nothing behind"


def test_a_missing_package_and_grammar(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pygls":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert found("pygls") == Check("pygls", "problem", "is not installed", "pip install pygls")

    from codehunch.syntax import languages

    def grammar(name: str) -> None:
        raise languages.GrammarMissing(name)

    monkeypatch.setattr(languages, "grammar", grammar)
    assert found("grammars").remedy == "pip install tree-sitter-python"


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "file"))
    check = found("bundle folder")
    assert check.status == "problem"
    assert check.remedy == "set CODEHUNCH_HOME to a folder of yours"


def test_bundles_are_verified(embedded: Bundle, make: Make) -> None:
    bundle = store.install(make("mine").path)
    assert found(f"bundle {bundle.path.name}").detail == "mine 1.0 for defects, every SHA-256 is right"
    assert found("active defects").detail == "mine 1.0"
    (bundle.path / "model.onnx").write_text("z" * 1000)
    check = found(f"bundle {bundle.path.name}")
    assert check.status == "problem"
    assert check.detail.endswith("model.onnx: its SHA-256 is not the one in the manifest")
    assert check.remedy == f"install it again, or run `codehunch bundles remove {bundle.path.name}`"
    assert found("graphs defects").status == "problem"  # these bytes are no graph


def test_a_check_that_fails_itself_is_reported_and_the_others_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "verify", lambda: 1 / 0)
    assert found("bundles").detail == "ZeroDivisionError: division by zero"
    assert found("providers").status == "ok"


@pytest.mark.parametrize(
    ("status", "code", "closing"),
    [("ok", 0, "everything is in order"), ("warning", 0, "1 warning"), ("problem", 1, "1 problem")],
)
def test_words_json_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, status: room.Status, code: int, closing: str
) -> None:
    monkeypatch.setattr(room, "examine", lambda: iter([Check("thing", status, "in some\nstate", "do this")]))
    result = CliRunner().invoke(app, [])
    assert result.exit_code == code
    assert result.stdout.splitlines()[-1] == closing
    assert "thing  in some state" in result.stdout
    assert "-> do this" in result.stdout
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == code
    tree = json.loads(result.stdout)
    assert tree == {
        "healthy": code == 0,
        "checks": [{"name": "thing", "status": status, "detail": "in some\nstate", "remedy": "do this"}],
    }
