"""``codehunch check`` from end to end, with the bundle that ships."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from codehunch.bundles.store import default_bundle
from codehunch.defects.detector import Detector
from codehunch.defects.options import CheckOptions
from codehunch.syntax.text import SourceText

from .conftest import CLEAN, WRONG, Cli
from .test_formats import check_sarif

HIGH = ("--sensitivity", "high")


def write(folder: Path, **files: str | bytes) -> None:
    """``a__b_py="..."`` writes ``a/b.py``."""
    for key, content in files.items():
        path = folder / (key.replace("__", "/").removesuffix("_py") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture(scope="module", name="rows")
def rows_of_wrong(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the model says about WRONG, as rows without their file name."""
    from codehunch.cli.formats.rows import json_row

    bundle = default_bundle("defects")
    assert bundle is not None, "the package carries no defect bundle"
    source = SourceText(WRONG)
    found = Detector(bundle).check(source, "python", CheckOptions(sensitivity="high"))
    return [json_row("", source, finding) for finding in found]


def without_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "filename": ""} for row in rows]


def test_the_model_sees_something(rows: list[dict[str, Any]]) -> None:
    assert len(rows) >= 1
    assert all(row["code"].startswith("CH1") and 0 < row["confidence"] <= 1 for row in rows)


def test_text(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, src__a_py=WRONG, src__b_py=CLEAN)
    result = cli("check", "src", *HIGH)
    assert result.code == 1
    first, place = rows[0], rows[0]["location"]
    start, message = f"src/a.py:{place['row']}:{place['column']}: {first['code']} ", first["message"]
    assert result.out.startswith(f"{start}{message} (confidence {first['confidence']:.2f})\n")
    assert result.out.count("src/a.py:") == len(rows)
    # The carets cover exactly the token.
    _, _, line, carets, *_ = result.out.split("\n")
    length = first["end_location"]["column"] - place["column"]
    assert carets.strip(" |") == "^" * length
    assert line[carets.index("^") :][:length] == WRONG.split("\n")[place["row"] - 1][place["column"] - 1 :][:length]
    number = "1 finding" if len(rows) == 1 else f"{len(rows)} findings"
    assert result.err == f"{number} in 2 files\n"


def test_json(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, src__a_py=WRONG, src__b_py=CLEAN)
    result = cli("check", "src", *HIGH, "--format", "json")
    found = json.loads(result.out)
    assert result.code == 1
    assert {row["filename"] for row in found} == {str(project / "src" / "a.py")}
    assert without_names(found) == rows
    assert result.err == ""


def test_sarif(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, src__a_py=WRONG, src__b_py=b"\0")
    result = cli("check", "src", *HIGH, "--format", "sarif")
    log = json.loads(result.out)
    check_sarif(log)
    assert result.code == 1
    assert [each["ruleId"] for each in log["runs"][0]["results"]] == [row["code"] for row in rows]
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is True
    assert len(log["runs"][0]["invocations"][0]["toolExecutionNotifications"]) == 1


def test_github(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, a_py=WRONG)
    lines = cli("check", "a.py", *HIGH, "--format", "github").out.splitlines()
    assert len(lines) == len(rows)
    assert all(line.startswith("::warning title=CodeHunch (CH1") for line in lines)


@pytest.mark.parametrize("format", ["text", "json", "sarif", "github"])
def test_clean_code_exits_with_0(cli: Cli, project: Path, format: str) -> None:
    write(project, a_py=CLEAN, b_py="")
    result = cli("check", "--format", format)
    assert result.code == 0
    assert result.err == ("no findings in 2 files\n" if format == "text" else "")
    assert (result.out == "") == (format in ("text", "github"))


def test_sensitivity_widens_what_is_reported(cli: Cli, project: Path) -> None:
    write(project, a_py=WRONG)
    found = [
        {(row["code"], row["location"]["row"], row["location"]["column"]) for row in json.loads(cli(*call).out)}
        for level in ("low", "medium", "high")
        for call in [("check", "a.py", "--format", "json", "--sensitivity", level)]
    ]
    assert found[0] <= found[1] <= found[2]
    assert json.loads(cli("check", "a.py", "--format", "json").out) == json.loads(
        cli("check", "a.py", "--format", "json", "--sensitivity", "medium").out
    )


def test_select_and_ignore(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, a_py=WRONG)

    def codes(*arguments: str) -> list[str]:
        result = cli("check", "a.py", *HIGH, "--format", "json", *arguments)
        found = json.loads(result.out)
        assert result.code == int(bool(found))
        return [row["code"] for row in found]

    everything = [row["code"] for row in rows]
    first, kind = rows[0]["code"], rows[0]["kind"]
    chosen = [code for code in everything if code == first]
    others = [code for code in everything if code != first]
    assert codes("--select", first) == codes("--select", kind) == codes("--select", f"CH100, {first}") == chosen
    assert codes("--ignore", first) == codes("--ignore", kind.upper()) == others
    assert codes("--select", "CH100") == codes("--ignore", "ALL") == []
    assert codes("--select", "ALL") == codes("--select", "CH100", "--select", first, "--select", "ALL") == everything
    assert codes("--select", first, "--ignore", first) == []
    # The command line outranks the file.
    (project / ".codehunch.toml").write_text(f'ignore = ["{first}"]\n')
    assert codes() == others
    assert codes("--select", first) == chosen
    assert codes("--ignore", "CH100") == everything


def test_comments_silence(cli: Cli, project: Path) -> None:
    write(project, a_py="# codehunch: ignore-file\n" + WRONG)
    assert cli("check", "a.py", *HIGH).code == 0


def test_settings_of_the_nearest_file(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    write(project, a_py=WRONG, sub__b_py=WRONG)
    (project / "pyproject.toml").write_text('[tool.codehunch]\nsensitivity = "high"\n')
    assert len(json.loads(cli("check", "--format", "json").out)) == 2 * len(rows)
    (project / "sub" / ".codehunch.toml").write_text('sensitivity = "high"\nignore = ["ALL"]\n')
    found = json.loads(cli("check", "--format", "json").out)
    assert {row["filename"] for row in found} == {str(project / "a.py")}
    # One wrong value: said once, whatever the number of files, and the exit code is not changed by it.
    write(project, c_py=CLEAN, d_py=CLEAN)
    (project / "pyproject.toml").write_text('[tool.codehunch]\nsensitivity = "loud"\nignore = ["ALL"]\n')
    result = cli("check")
    assert result.code == 0
    assert result.err.count("warning: ") == 1
    assert "pyproject.toml: `sensitivity`: 'loud' is not one of low, medium, high; using \"medium\"" in result.err


def test_per_file_ignores(cli: Cli, project: Path) -> None:
    write(project, a_py=WRONG, tests__b_py=WRONG)
    (project / ".codehunch.toml").write_text('sensitivity = "high"\nper-file-ignores = { "tests/" = ["ALL"] }\n')
    found = json.loads(cli("check", "--format", "json").out)
    assert {row["filename"] for row in found} == {str(project / "a.py")}


def test_what_is_left_out(cli: Cli, project: Path) -> None:
    write(project, a_py=WRONG, gen__b_py=WRONG, vendor__c_py=WRONG, sub__d_py=WRONG, sub__deep__e_py=WRONG)
    (project / ".gitignore").write_text("gen/\n")
    (project / "sub" / ".gitignore").write_text("/deep\n")

    def names(*arguments: str) -> set[str]:
        found = json.loads(cli("check", *arguments, *HIGH, "--format", "json").out)
        return {os.path.relpath(row["filename"], project) for row in found}

    assert names() == {"a.py", "vendor/c.py", "sub/d.py"}
    assert names("--exclude", "vendor,sub/d.py") == {"a.py"}
    assert names("--exclude", "vendor", "--exclude", "sub") == {"a.py"}
    assert names("gen", "a.py", "--exclude", "a.py") == {"gen/b.py", "a.py"}


def test_every_odd_file_is_named_and_the_run_goes_to_its_end(
    cli: Cli, project: Path, rows: list[dict[str, Any]]
) -> None:
    write(
        project,
        binary_py=b"\x7fELF\0\0\0",
        broken_py="def f(:\n    return )(\nclass\n",
        empty_py="",
        huge_py="x = 1\n" * 400_000,
        latin_py=b"name = '\xe9'\n",
        unknown_py="# coding: klingon\n",
        zz_last_py=WRONG,
    )
    (project / "broken.txt").write_bytes(b"\0")
    (project / "gone.py").symlink_to("nowhere.py")
    (project / "loop").symlink_to(project)
    os.mkfifo(project / "pipe.py")
    if os.path.exists("/proc/self/mem"):
        (project / "unreadable.py").symlink_to("/proc/self/mem")
    result = cli("check", *HIGH, "--format", "json")
    assert result.code == 1
    assert without_names(json.loads(result.out)) == rows
    named = dict(line.removeprefix("skipped: ").split(": ", 1) for line in result.err.splitlines())
    assert {name: reason.split(" (")[0] for name, reason in named.items()} == {
        "binary.py": "binary file",
        "gone.py": "is a link to nothing",
        "huge.py": "2.4 MB, more than max-file-size = 2 MB allows",
        "latin.py": "not valid UTF-8",
        "loop": "is a link to a folder, which is not followed",
        "pipe.py": "is not a regular file",
        "unknown.py": "unknown encoding 'klingon' in the coding comment on line 1",
        **({"unreadable.py": "cannot be read"} if os.path.exists("/proc/self/mem") else {}),
    }


def test_skipped_files_do_not_change_the_exit_code(cli: Cli, project: Path) -> None:
    write(project, a_py=CLEAN, b_py=b"\0")
    result = cli("check")
    assert result.code == 0
    assert result.err.splitlines()[-1] == "no findings in 1 file, 1 skipped"
    result = cli("check", "b.py")
    assert (result.code, result.out) == (0, "")


def test_a_missing_path_exits_with_2_after_the_rest_was_checked(
    cli: Cli, project: Path, rows: list[dict[str, Any]]
) -> None:
    write(project, a_py=WRONG)
    result = cli("check", "nowhere", "a.py", "gone.py", *HIGH, "--format", "json")
    assert result.code == 2
    assert len(json.loads(result.out)) == len(rows)
    assert result.err.splitlines() == [
        "error: nowhere: there is no such file or folder",
        "error: gone.py: there is no such file or folder",
    ]
    assert cli("check", "nowhere").code == 2


def test_several_paths_and_none(cli: Cli, project: Path) -> None:
    write(project, a_py=CLEAN, sub__b_py=CLEAN, other__c_py=CLEAN)
    assert cli("check", "a.py", "sub").err == "no findings in 2 files\n"
    assert cli("check", "a.py", "a.py", ".").err == "no findings in 3 files\n"
    assert cli("check").err == "no findings in 3 files\n"
    (project / "void").mkdir()
    assert cli("check", "void").err == "no findings in 0 files\n"


def test_stdin(cli: Cli, project: Path, rows: list[dict[str, Any]]) -> None:
    def found(*arguments: str, data: bytes = WRONG.encode()) -> list[dict[str, Any]]:
        result = cli("check", *arguments, *HIGH, "--format", "json", stdin=data)
        parsed: list[dict[str, Any]] = json.loads(result.out)
        assert result.code == int(bool(parsed))
        return parsed

    assert {row["filename"] for row in found("-")} == {"-"}
    named = found("-", "--stdin-filename", "src/a.py")
    assert {row["filename"] for row in named} == {str(project / "src" / "a.py")}
    assert without_names(named) == without_names(found("-")) == rows
    assert found("--stdin-filename", "src/a.py") == named
    # A byte order mark is no column, CRLF no extra line.
    crlf = b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").encode()
    assert [row["location"] for row in found("-", data=crlf)] == [row["location"] for row in rows]
    # The settings are those of the place the name points at, which need not exist.
    (project / "src").mkdir()
    (project / "src" / ".codehunch.toml").write_text('per-file-ignores = { "a.py" = ["ALL"] }\n')
    assert found("-", "--stdin-filename", "src/a.py") == []
    assert found("-", "--stdin-filename", "src/b.py") != []


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\0", "binary file"), (b"\xff", "not valid UTF-8"), (b"#" * 2_000_001, "more than max-file-size")],
)
def test_stdin_that_is_no_source(cli: Cli, project: Path, data: bytes, reason: str) -> None:
    result = cli("check", "-", stdin=data)
    assert result.code == 0
    assert result.err.startswith("skipped: -: ")
    assert reason in result.err


def test_an_empty_stdin(cli: Cli, project: Path) -> None:
    assert cli("check", "-", "--format", "json").out == "[]\n"


def test_a_language_without_a_model(cli: Cli, project: Path) -> None:
    (project / "a.rb").write_text("def f\n  1\nend\n")
    assert cli("check", "a.rb").err.startswith("skipped: a.rb: no installed model reads ruby\n")
    assert cli("check").err == "no findings in 0 files\n"
    assert "skipped: x.rb: no installed model reads ruby" in cli("check", "-", "--stdin-filename", "x.rb").err


def test_a_file_that_fails_is_named_and_the_rest_is_checked(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]
) -> None:
    check = Detector.check

    def fail_on_some(self: Detector, source: SourceText, *rest: Any, **more: Any) -> Any:
        if "poison" in source.text:
            raise RuntimeError("no way")
        return check(self, source, *rest, **more)

    monkeypatch.setattr(Detector, "check", fail_on_some)
    write(project, a_py="poison = 1\n", b_py=WRONG)
    result = cli("check", *HIGH, "--format", "sarif")
    assert result.code == 2
    assert result.err == "error: a.py: could not be checked (RuntimeError: no way)\n"
    log = json.loads(result.out)
    assert len(log["runs"][0]["results"]) == len(rows)
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_a_broken_bundle_is_one_line(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from codehunch.bundles.errors import BundleError

    def broken(task: str, warnings: list[str]) -> None:
        raise BundleError("model.onnx", "is missing", "install codehunch again")

    monkeypatch.setattr("codehunch.defects.models.active_bundle", broken)
    result = cli("check")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: model.onnx: is missing; install codehunch again\n"


def test_no_network_and_no_training_library(process: Cli, project: Path) -> None:
    """In a process of its own: what a check imports, and that it never opens a connection."""
    write(project, a_py=WRONG)
    code = """
import socket, sys
def forbidden(*arguments): raise AssertionError("a connection was opened")
socket.socket.connect = forbidden
from codehunch.cli import main
code = main(["check", "a.py", "--sensitivity", "high", "--format", "json"])
print(code, sorted({"torch", "transformers", "codehunch_training", "pygls"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr == "1 []\n"


def test_the_same_findings_from_a_pipe_a_file_and_another_process(
    process: Cli, project: Path, rows: list[dict[str, Any]]
) -> None:
    write(project, a_py=WRONG)
    from_file = process("check", "a.py", *HIGH, "--format", "json")
    from_cache = process("check", "a.py", *HIGH, "--format", "json")
    from_pipe = process("check", "-", *HIGH, "--no-cache", "--format", "json", stdin=WRONG.encode())
    assert from_cache.out == from_file.out
    assert without_names(json.loads(from_file.out)) == without_names(json.loads(from_pipe.out)) == rows


def test_memory_does_not_grow_with_the_tree(project: Path) -> None:
    """Peak memory over 10 files side by side with that over 110 of the same kind, 50 MB more to read."""

    def peak(files: int) -> int:
        folder = project / str(files)
        folder.mkdir()
        for number in range(files):
            # All different, so that nothing is answered from a cache.
            text = f"def f{number}(x):\n    return x + {number}\n\n\n# {'x' * 500_000}\n"
            (folder / f"m{number}.py").write_text(text)
        code = (
            "import resource, sys; from codehunch.cli import main; "
            f"main(['check', {str(folder)!r}, '--format', 'json']); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        return int(done.stderr.split()[-1])

    assert peak(110) < peak(10) * 1.1


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("format", ["json", "sarif"])
def test_ctrl_c_ends_with_130_and_whole_output(project: Path, format: str) -> None:
    for number in range(300):
        write(project, **{f"m{number:03}_py": f"# {number}\n" + WRONG.replace("area", f"area{number}")})
    command = [sys.executable, "-m", "codehunch", "check", *HIGH, "--format", format]
    # Without a buffer, so that communicate() gets everything after the head.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as running:
        assert running.stdout is not None
        head = running.stdout.read(2000)
        running.send_signal(signal.SIGINT)
        rest, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.decode().splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in err.decode()
    log = json.loads(head + rest)
    if format == "sarif":
        check_sarif(log)
        assert log["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_a_closed_pipe_ends_the_run(project: Path) -> None:
    for number in range(100):
        write(project, **{f"m{number:03}_py": f"# {number}\n" + WRONG.replace("area", f"area{number}")})
    command = [sys.executable, "-m", "codehunch", "check", *HIGH, "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(100)
        running.stdout.close()
        err = running.stderr.read().decode()
    assert (running.returncode, err) == (141, "")


def test_reading_ahead_leaves_no_thread_behind(cli: Cli, project: Path) -> None:
    write(project, **{f"m{number}_py": CLEAN for number in range(20)})
    cli("check")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any("codehunch-read" in t.name for t in threading.enumerate()):
        time.sleep(0.01)
    assert not any("codehunch-read" in thread.name for thread in threading.enumerate())
