"""Running programs a model wrote, away from everything else, and pass@k.

What it stops, where Linux allows all layers (``sandbox_child.py`` has the list): network connections, new processes,
signals to other processes, reading outside Python's own folders, writing outside a scratch folder that is deleted
afterwards, more memory, CPU time or open files than the limits, waiting for ever. What it does not stop: a program that
sets out to find the token by which a passing run is told and to fake it; many files that together fill the disk before
the time is over; bugs of the kernel. On other systems only the limits, the clock and Python's audit hook are left,
which a program that means harm passes by: do not run answers of a model you do not trust there.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal

import attrs

STRONG = frozenset({"limits", "landlock", "seccomp", "audit"})
"""With these layers a program is kept from files, processes and the network by the kernel."""
_CHILD = Path(__file__).with_name("sandbox_child.py")
_LONGEST_ANSWER = 1 << 16


@attrs.frozen(kw_only=True)
class Limits:
    """What one program may use."""

    seconds: float = 5.0
    """On the clock, start of the interpreter included."""
    megabytes: int = 512
    file_megabytes: int = 8
    """Of each file it writes."""


@attrs.frozen
class Outcome:
    """How a program ended."""

    kind: Literal["passed", "failed", "error", "timeout", "killed"]
    """``failed``: an assertion; ``error``: any other exception, or leaving early; ``killed``: by a signal."""
    message: str = ""
    layers: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.kind == "passed"


def run_program(program: str, limits: Limits | None = None) -> Outcome:
    """Run one Python program to its end in a process of its own; ``passed`` if it raises nothing."""
    limits = limits or Limits()
    token = secrets.token_hex(16)
    job = {"program": program, "token": token, **attrs.asdict(limits)}
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="codehunch-run-", ignore_cleanup_errors=True) as scratch:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(_CHILD), str(writing)],
                cwd=scratch,
                env={"PATH": "", "PYTHONHASHSEED": "0", "TMPDIR": scratch, "HOME": scratch},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            late = _feed(process, json.dumps(job).encode("utf-8", "surrogatepass"), limits.seconds)
        finally:
            _end(process)
            with open(reading, "rb") as pipe:
                answer = pipe.read(_LONGEST_ANSWER)
    if late:
        return Outcome("timeout", f"not done after {limits.seconds:g} s")
    try:
        told = json.loads(answer)
        if told["token"] == token:
            return Outcome(told["outcome"], str(told["message"]), tuple(told["layers"]))
    except (ValueError, KeyError, TypeError):
        pass
    return Outcome("killed", f"ended without an answer (exit status {process.returncode})")


def _feed(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> bool:
    """Hand over the job and wait; True where time ran out."""
    try:
        process.communicate(job, timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def run_all(
    programs: Sequence[str],
    limits: Limits | None = None,
    jobs: int | None = None,
    done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Run programs side by side, one a core; ``done`` is told after each how many there are."""
    found: list[Outcome] = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for outcome in pool.map(lambda program: run_program(program, limits), programs):
            found.append(outcome)
            if done is not None:
                done(len(found))
    return found


@cache
def layers() -> tuple[str, ...]:
    """The layers this machine has, by trying them once."""
    return run_program("pass", Limits(seconds=30)).layers


def pass_at(samples: int, passed: int, k: int) -> float:
    """Chance that at least one of ``k`` answers drawn from ``samples``, of which ``passed`` pass, passes: the unbiased
    estimator of Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1."""
    if not 0 < k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} answers a task; there are {samples}")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


TEST_COLUMNS = ("tests", "test_list", "test")


def has_tests(row: Mapping[str, Any]) -> bool:
    return any(row.get(name) for name in TEST_COLUMNS)


def program_of(row: Mapping[str, Any], answer: str) -> str:
    """An answer with the tests of its row, ready to run.

    Layouts: ``prompt``, ``test`` and ``entry_point`` (HumanEval: the answer goes on after the prompt, or defines the
    function anew); ``test_list`` with ``test_setup_code`` (MBPP: the answer is whole); ``tests``, a text or a list,
    with ``signature`` before the answer where the answer is a body.
    """
    entry = str(row.get("entry_point") or "")
    if entry and row.get("test"):
        prompt, whole = str(row.get("prompt") or ""), f"def {entry}(" in answer
        first = next((line for line in answer.split("\n") if line.strip()), "")
        body = answer if whole or not first or first[0] in " \t" else _indented(answer)
        head = prompt if not whole else _before_definition(prompt, entry)
        return f"{head}{body}\n\n{row['test']}\n\ncheck({entry})\n"
    tests = row.get("tests") or row.get("test_list") or row.get("test") or ""
    lines = tests if isinstance(tests, str) else "\n".join(map(str, tests))
    signature = str(row.get("signature") or "")
    if signature and not answer.lstrip().startswith(("def ", "async def ", "class ", "import ", "from ", "@")):
        answer = f"{signature.rstrip()}\n{_indented(answer)}"
    return f"{row.get('test_setup_code') or ''}\n{answer}\n\n{lines}\n"


def _indented(body: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in body.splitlines(keepends=True))


def _before_definition(prompt: str, entry: str) -> str:
    """Imports and helpers of a prompt whose function the answer defines itself."""
    return prompt.partition(f"def {entry}(")[0]


def pass_metrics(passed: Sequence[Sequence[bool]], ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """``pass@k`` for every ``k`` that the fewest answers of a task allow; [tasks][samples]."""
    if not passed:
        return {}
    fewest = min(map(len, passed))
    return {f"pass@{k}": sum(pass_at(len(p), sum(p), k) for p in passed) / len(passed) for k in ks if k <= fewest}
