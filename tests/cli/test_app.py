"""The command as a whole: quick, lazy, and every failure one line with an exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from codehunch import __version__
from codehunch.bundles.errors import BundleError
from codehunch.cli import app, main
from codehunch.cli.console import CommandError, printable
from codehunch.inference.errors import InferenceError

from .conftest import Cli

HEAVY = ("onnxruntime", "numpy", "tokenizers", "tree_sitter", "pygls", "lsprotocol", "rich", "cattrs")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(process: Cli, option: str) -> None:
    assert process(option) == process("--version")
    result = process(option)
    assert (result.code, result.out, result.err) == (0, f"codehunch {__version__}\n", "")


def test_version_is_quick() -> None:
    """Side by side with an interpreter that does nothing, because machines differ."""

    def fastest(*arguments: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        return min(times)

    assert fastest("-m", "codehunch", "--version") < fastest("-c", "pass") + 0.1


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--version"], (*HEAVY, "typer", "attrs", "attr", "asyncio")),
        (["--help"], HEAVY),
        (["check", "--help"], HEAVY),
        (["generate", "--help"], HEAVY),
        (["serve", "--help"], HEAVY),
        (["rule"], ("onnxruntime", "numpy", "tokenizers", "pygls")),
    ],
)
def test_commands_import_only_what_they_need(arguments: list[str], forbidden: tuple[str, ...]) -> None:
    code = f"import sys; from codehunch.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(forbidden) & set(done.stderr.split()) == set()


def test_help_lists_every_command(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    for command in app.COMMANDS:
        assert re.search(rf"^  {command.name} +\S", result.out, re.MULTILINE)


@pytest.mark.parametrize("command", [command.name for command in app.COMMANDS])
def test_every_command_has_help(cli: Cli, command: str) -> None:
    result = cli(command, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: codehunch {command} ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage: codehunch"),
        (["chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["check", "--formt", "json"], "--formt"),
        (["check", "--format", "xml"], "xml"),
        (["check", "--sensitivity", "loud"], "loud"),
        (["check", "--threads", "0"], "--threads"),
        (["check", "--select", "CH1O1"], "--select: 'CH1O1' is neither a rule code nor a kind; did you mean 'CH101'?"),
        (["check", "--ignore", "CH101,typo"], "--ignore: 'typo' is neither a rule code nor a kind"),
        (["check", "--exclude", "bad\\"], "--exclude: 'bad\\\\' is no valid pattern"),
        (["check", "-", "a.py"], "- reads stdin and stands alone"),
        (["check", "--stdin-filename", "a.py", "b.py"], "--stdin-filename names the text of stdin"),
        (["rule", "CH999"], "'CH999' is neither a rule code nor a kind"),
        (["generate"], "give a FILE and the --line of the function to complete, or a --prompt"),
        (["generate", "a.py"], "give a FILE and the --line"),
        (["generate", "a.py", "--line", "1", "--prompt", "x"], "give a FILE and the --line"),
        (["generate", "--prompt", "  "], "give a FILE and the --line"),
        (["generate", "a.py", "--line", "0"], "--line"),
        (["serve", "--stdio", "--tcp", "127.0.0.1:0"], "choose one of --stdio, --tcp and --ws"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(cli: Cli, project: Path, arguments: list[str], words: str) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert result.out == "" or arguments == []
    assert words in " ".join((result.err + result.out).split())
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (CommandError("the file is odd; mend it"), "error: the file is odd; mend it\n"),
        (CommandError("two\nlines"), "error: two lines\n"),
        (BundleError("m.json", "is broken", "reinstall"), "error: m.json: is broken; reinstall\n"),
        (InferenceError("graph.onnx: no"), "error: graph.onnx: no\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a\x1b.py"),
            "error: a\\x1b.py: No such file or directory\n",
        ),
        (OSError(28, "No space left on device"), "error: No space left on device\n"),
        (
            ZeroDivisionError("division by zero"),
            "error: internal error: ZeroDivisionError: division by zero "
            "(set CODEHUNCH_TRACEBACK=1 to see where, and please report it)\n",
        ),
    ],
)
def test_a_failure_is_one_line_and_exit_code_2(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, failure: Exception, line: str
) -> None:
    def fail() -> NoReturn:
        raise failure

    monkeypatch.setattr("codehunch.cli.rule._list_rules", fail)
    result = cli("rule")
    assert (result.code, result.out, result.err) == (2, "", line)
    monkeypatch.setenv("CODEHUNCH_TRACEBACK", "1")
    assert "in fail" in cli("rule").err


def test_an_interrupt_exits_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("codehunch.cli.rule._list_rules", interrupt)
    result = cli("rule")
    assert (result.code, result.err) == (130, "error: interrupted\n")
    monkeypatch.setattr("codehunch.cli.app.run", lambda arguments: interrupt())
    assert main(["rule"]) == 130


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m codehunch rule ALL | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    # The pipe may also hold everything before `true` has gone.
    assert done.stdout.strip() in ("0", "141")
    assert done.stderr == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_takes_nothing_away(unbuffered: str) -> None:
    """A signal while the pipe is full makes the write partial; the rest must follow."""
    code = (
        "import signal; signal.signal(signal.SIGUSR1, lambda *rest: None); "
        "from codehunch.cli.console import write_out; write_out('a' * 300_000); write_out('end')"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, env=environment) as running:
        assert running.stdout is not None
        head = running.stdout.read(10)
        for _ in range(3):
            time.sleep(0.05)
            running.send_signal(signal.SIGUSR1)
        rest, _ = running.communicate(timeout=30)
    assert head + rest == b"a" * 300_000 + b"end"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_the_terminal_will_do(process: Cli, encoding: str) -> None:
    result = process("rule", "CH103", PYTHONIOENCODING=encoding)
    assert result.code == 0
    expected = "…" if encoding == "utf-8" else "\\u2026"
    assert f'[: limit - 1] + "{expected}"' in result.out


def test_python_m_and_the_script_are_the_same() -> None:
    from codehunch import __main__

    assert __main__.main is main


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ünï 名", "plain ünï 名"),
        ("a\tb", "a\\tb"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_printed_cannot_move_the_cursor(text: str, expected: str) -> None:
    assert printable(text) == expected
