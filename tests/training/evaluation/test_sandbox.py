"""The sandbox: what runs, what is refused, by which layer; and pass@k."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from codehunch_training.evaluation import sandbox_child
from codehunch_training.evaluation.sandbox import (
    STRONG,
    Limits,
    layers,
    pass_at,
    pass_metrics,
    program_of,
    run_all,
    run_program,
)

LIMITS = Limits(seconds=20, megabytes=256, file_megabytes=1)
linux = pytest.mark.skipif(sys.platform != "linux", reason="these layers are Linux's")


def test_programs_of_every_kind_end_as_they_should() -> None:
    table = {
        "import math, json, threading\nt = threading.Thread(target=print)\nt.start(); t.join()\nassert 1": "passed",
        "open('a', 'w').write('x')\nassert open('a').read() == 'x'": "passed",
        "print('x' * 1_000_000)": "passed",
        "assert 1 == 2, 'no'": "failed",
        "1 / 0": "error",
        "def f(:": "error",
        "raise SystemExit(0)": "error",
        "def f(n): return f(n)\nf(0)": "error",
        "input()": "error",
        "import os; os._exit(0)": "killed",
        "import os; os.abort()": "killed",
        "x = bytearray(1 << 30)": "error",
        "open('a', 'wb').write(b'x' * (2 << 20))": "error",
    }
    found = run_all(list(table), LIMITS, jobs=2)
    assert {program: outcome.kind for program, outcome in zip(table, found, strict=True)} == table
    assert found[3].message == "AssertionError: no"


def test_an_endless_program_is_ended() -> None:
    assert run_program("while True: pass", Limits(seconds=1)).kind == "timeout"
    assert run_program("import time\nwhile True: time.sleep(9)", Limits(seconds=1)).kind == "timeout"


def test_nothing_reaches_out_of_the_scratch_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "secret").write_text("s")
    attempts = [
        f"open({str(outside)!r}, 'w')",
        f"import os\nos.remove({str(tmp_path / 'secret')!r})",
        f"import os\nos.symlink({str(tmp_path)!r}, 'l')\nopen('l/outside', 'w')",
        "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.fork()",
        "import os, signal\nos.kill(os.getppid(), 0)",
        "import ctypes\nctypes.CDLL(None)",
    ]
    assert {outcome.kind for outcome in run_all(attempts, LIMITS, jobs=2)} == {"error"}
    assert not outside.exists()
    assert (tmp_path / "secret").exists()


@linux
def test_this_machine_has_the_strong_layers() -> None:
    missing = STRONG - set(layers())
    if missing:
        pytest.skip(f"this kernel lacks {', '.join(sorted(missing))}")
    # Without Python's hook, which would refuse first, the kernel refuses.
    attempts = {
        "os.fork()": ("seccomp", "PermissionError"),
        "os.execv('/bin/true', ['true'])": ("seccomp", "PermissionError"),
        "socket.socket()": ("seccomp", "PermissionError"),
        "os.kill(os.getppid(), 0)": ("seccomp", "PermissionError"),
        "open('/etc/passwd')": ("landlock", "PermissionError"),
        "open('/tmp/codehunch-escape', 'w')": ("landlock", "PermissionError"),
        "os.mkdir('/tmp/codehunch-escape')": ("landlock", "PermissionError"),
        "print(socket.if_nameindex())": ("namespaces", "[(1, 'lo')]"),
    }
    for statement, (layer, expected) in attempts.items():
        if layer not in layers():
            continue
        put_on = f"{layer}({'os.getcwd()' if layer == 'landlock' else ''})"
        script = (
            f"import os, socket, sys\nsys.path.insert(0, {str(Path(sandbox_child.__file__).parent)!r})\n"
            f"import sandbox_child\nassert sandbox_child.{put_on}\n"
            f"try:\n    {statement}\nexcept OSError as error:\n    print(type(error).__name__)"
        )
        command = [sys.executable, "-I", "-S", "-B", "-c", script]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.stdout.strip(), ran.stderr) == (expected, ""), statement


@linux
def test_a_program_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_program("open('a', 'w')\nimport os\nos.mkdir('b')", LIMITS)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(("samples", "passed", "k"), [(4, 0, 1), (4, 1, 2), (5, 2, 3), (3, 3, 1), (6, 4, 4)])
def test_pass_at_k_is_the_share_of_all_draws(samples: int, passed: int, k: int) -> None:
    draws = list(itertools.combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at(samples, passed, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_metrics() -> None:
    assert pass_metrics([[True, False], [False, False]]) == {"pass@1": 0.25}
    assert pass_metrics([[True] * 5, [False] * 5], (1, 5)) == {"pass@1": 0.5, "pass@5": 0.5}
    assert pass_metrics([]) == {}
    with pytest.raises(ValueError, match="needs at least 3"):
        pass_at(2, 1, 3)


def test_layouts_of_tasks() -> None:
    humaneval = {
        "prompt": "import math\n\ndef up(x):\n    '''Round up.'''\n",
        "test": "def check(f):\n    assert f(1.2) == 2",
        "entry_point": "up",
    }
    mbpp = {"test_list": ["assert up(1.2) == 2"], "test_setup_code": "import math"}
    own = {"signature": "def up(x):", "tests": "assert up(1.2) == 2"}
    whole = "def up(x):\n    return math.ceil(x)\n"
    programs = [
        program_of(humaneval, "    return math.ceil(x)\n"),
        program_of(humaneval, "return math.ceil(x)\n"),
        program_of(humaneval, whole),
        program_of(mbpp, whole),
        program_of(own, "import math\n" + whole),
        program_of(own, "if x:\n    return int(x) + 1\n"),
        program_of(own, "return int(x)"),
    ]
    assert [outcome.kind for outcome in run_all(programs, LIMITS, jobs=2)] == ["passed"] * 6 + ["failed"]
