"""What a person at the keyboard waits for: the language server with the active models, driven as an editor drives it.

    python benchmarks/server.py                      all tables
    python benchmarks/server.py --only edits small   some of them
    python benchmarks/server.py --minutes 10         longer typing for the memory table

Times are of this machine; ratios are what to look at, those of processor time on a machine that does other things too.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import os
import random
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from codehunch.bundles.store import active_bundle
from codehunch.defects.detector import Detector
from codehunch.syntax.text import SourceText

URI = "file:///benchmark/module.py"
SIZES = (100, 1_000, 10_000, 20_000)
PAUSE = 0.35
"""Seconds between two edits: a person who looks up after each."""
KINDS_OF_TYPING = (
    ("a name", "abcdefgh", False),
    ("half a statement", "([{([{([", False),
    ("a name, all asked", "abcdefgh", True),
)
STUBS = (
    ("double", "x", "Return twice x."),
    ("read_lines", "path", "Return the lines of a text file as a list."),
    ("is_even", "number", "Whether a number is even."),
    ("largest", "numbers", "Return the largest of the numbers."),
    ("word_count", "text", "Count how often each word occurs in a text."),
    ("flatten", "lists", "Flatten a list of lists."),
    ("save_json", "data, path", "Write data as JSON to a file."),
    ("factorial", "n", "Return the factorial of n."),
)


class Session:
    """A server process and the answers it gave."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codehunch", "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._ids = itertools.count(1)
        self._arrived = threading.Condition()
        self._answers: dict[int, tuple[float, dict[str, Any]]] = {}
        threading.Thread(target=self._read, daemon=True).start()
        self.version = 0
        literals = {"codeActionKind": {"valueSet": []}}
        actions = {
            "codeActionLiteralSupport": literals,
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
        }
        capabilities = {"textDocument": {"diagnostic": {}, "inlineCompletion": {}, "codeAction": actions}}
        options = {"sensitivity": "high", "generationSeconds": 60, "cache": False}
        self.ask(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": capabilities, "initializationOptions": options},
        )
        self.initialized = time.perf_counter() - self.started
        self.notify("initialized", {})

    def notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def begin(self, method: str, params: object) -> int:
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        return number

    def wait(self, number: int) -> tuple[float, dict[str, Any]]:
        """When the answer came, and the message."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: number in self._answers, 600):
                raise TimeoutError(f"no answer to request {number}")
            return self._answers.pop(number)

    def ask(self, method: str, params: object) -> tuple[float, Any]:
        """Seconds until the answer, and its result."""
        start = time.perf_counter()
        arrived, message = self.wait(self.begin(method, params))
        if "error" in message:
            raise RuntimeError(message["error"]["message"])
        return arrived - start, message["result"]

    def open(self, text: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        self.version = 1
        item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def edit(self, line: int, column: int, removed: int, text: str) -> None:
        self.version += 1
        place = {"start": {"line": line, "character": column}, "end": {"line": line, "character": column + removed}}
        document = {"uri": URI, "version": self.version}
        changes = [{"range": place, "text": text}]
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    def pull(self) -> tuple[float, list[Any]]:
        seconds, report = self.ask("textDocument/diagnostic", {"textDocument": {"uri": URI}})
        return seconds, report["items"]

    def ask_along(self, line: int, column: int) -> list[int]:
        """What editors ask beside diagnostics while somebody types: ghost text, and actions at the cursor."""
        document, position = {"textDocument": {"uri": URI}}, {"line": line, "character": column}
        place = {"start": position, "end": position}
        return [
            self.begin(
                "textDocument/inlineCompletion", {**document, "position": position, "context": {"triggerKind": 2}}
            ),
            self.begin("textDocument/codeAction", {**document, "range": place, "context": {"diagnostics": []}}),
        ]

    def pids(self) -> list[int]:
        """The server and its worker."""
        told = self.ask("workspace/executeCommand", {"command": "codehunch.debugInformation"})[1]
        return [self._process.pid, *([told["worker"]["pid"]] if told["worker"] else [])]

    def memory(self) -> int:
        """Resident bytes of the server and its worker."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in self.pids()]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        self.ask("shutdown", None)
        self.notify("exit", None)
        self._process.wait(10)

    def _send(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            if "id" in message and "method" not in message:
                with self._arrived:
                    self._answers[message["id"]] = (time.perf_counter(), message)
                    self._arrived.notify_all()


def processor_seconds(pids: list[int]) -> float:
    """Time that all threads of these processes have run, in steps of a nanosecond; 0 where /proc does not tell."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text(encoding="ascii").split()[0])
            except (OSError, IndexError, ValueError):
                continue
    return total / 1e9


def source_of(lines: int) -> str:
    """That many lines of the standard library."""
    collected: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        collected += path.read_text(encoding="utf-8").split("\n")
        if len(collected) >= lines:
            break
    return "\n".join(collected[:lines]) + "\n\n"


EDITED = '''def edited(items, limit):
    """Items up to a limit."""
    kept = [item for item in items if item < limit]
    return kept
'''


WRONG = '''def add(self, name, count=1):
    """Put some items of one name on the shelf."""
    if count <= 0:
        ValueError(f"count must be positive, not {count}")
    kept = self.items.get(name, 0)
    self.items[name] = kept + count
'''

LARGE = "class Large:\n" + textwrap.indent(
    "\n".join(EDITED.replace("edited", f"method_{number}").replace("kept", "held") for number in range(1000)) + EDITED,
    "    ",
)


def percentile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def launch(rounds: int) -> Table:
    table = Table("", "median ms", title="After launch")
    answered, found = [], []
    for _ in range(rounds):
        session = Session()
        answered.append(session.initialized)
        session.open(EDITED)
        session.pull()
        found.append(time.perf_counter() - session.started)
        session.close()
    table.add_row("initialize answered", ms(percentile(answered, 0.5)))
    table.add_row("first diagnostics, model loaded", ms(percentile(found, 0.5)))
    return table


def edits(rounds: int) -> Table:
    """One character typed into one function, at the pace of a person who watches the screen.

    Half-typed statements are measured apart: they are what tells a file with a syntax error from one without. So is
    an editor that asks for ghost text and actions as well.
    """
    columns = ("lines", "first look s", "typing", "p50 ms", "p95 ms", "to 100 lines", "p95 ms CPU", "to 100 lines")
    table = Table(*columns, title="Edit to diagnostics")
    smallest: dict[str, tuple[float, float]] = {}
    session = Session()
    for size in SIZES:
        text = source_of(size - EDITED.count("\n")) + EDITED
        session.open(text)
        first, _ = session.pull()
        line = text.count("\n") - 1
        pids = session.pids()
        for name, characters, along in KINDS_OF_TYPING:
            times, busy = [], []
            for index in range(rounds):
                time.sleep(PAUSE)
                before = processor_seconds(pids)
                session.edit(line, 11, index > 0, characters[index % 8])
                asked = session.ask_along(line, 12) if along else []
                times.append(session.pull()[0])
                for number in asked:
                    session.wait(number)
                busy.append(processor_seconds(pids) - before)
            session.edit(line, 11, 1, "")
            session.pull()
            p95, cpu = percentile(times, 0.95), percentile(busy, 0.95)
            least = smallest.setdefault(name, (p95, cpu))
            table.add_row(
                f"{size:,}",
                f"{first:.1f}",
                name,
                ms(percentile(times, 0.5)),
                ms(p95),
                f"{p95 / least[0]:.2f}",
                ms(cpu),
                f"{cpu / max(least[1], 1e-9):.2f}",
            )
    session.close()
    return table


def changed(rounds: int) -> Table:
    """The same edits without server, worker and pause: what reading the changed function costs by itself.

    In a suspicious function every fix is tried, which takes more passes. Of a class, here of 5,000 lines, one method is
    read anew, but all are looked up.
    """
    columns = ("function", "windows", "passes p50 ms", "check p50 ms", "p95 ms", "to the passes", "CPU to the passes")
    table = Table(*columns, title="A changed function")
    for name, text in (("clean", EDITED), ("suspicious, fixes tried", WRONG), ("clean, in a large class", LARGE)):
        detector = Detector(active_bundle("defects"))
        read, windows = detector.classifier.read, 0
        passes: list[list[float]] = []

        def now() -> tuple[float, float]:
            return time.perf_counter(), time.process_time()

        def timed(functions: Any, *arguments: Any, read: Any = read, passes: Any = passes) -> Any:
            nonlocal windows
            windows += len(functions) * (len(passes) > 3)
            start = now()
            try:
                return read(functions, *arguments)
            finally:
                passes[-1] = [spent + end - begun for spent, begun, end in zip(passes[-1], start, now(), strict=True)]

        detector.classifier.read = timed  # type: ignore[method-assign]
        whole = []
        for index in range(rounds + 3):
            passes.append([0.0, 0.0])
            start = now()
            detector.check(SourceText(text.replace("kept", f"kept{index}")))
            whole.append([end - begun for begun, end in zip(start, now(), strict=True)])
        own, times = passes[3:], whole[3:]
        p50 = [[percentile([each[clock] for each in kind], 0.5) for clock in (0, 1)] for kind in (own, times)]
        table.add_row(
            name,
            f"{windows / rounds:.1f}",
            ms(p50[0][0]),
            ms(p50[1][0]),
            ms(percentile([each[0] for each in times], 0.95)),
            f"{p50[1][0] / p50[0][0]:.2f}",
            f"{p50[1][1] / p50[0][1]:.2f}",
        )
    return table


def small(rounds: int) -> Table:
    """Hovers while the worker reads a file it has never seen."""
    table = Table("worker", "hovers", "p50 ms", "p99 ms", title="Small requests")
    session = Session()
    session.open(EDITED)
    session.pull()
    for name in ("idle", "reads 20,000 lines"):
        busy = None
        if name != "idle":
            session.open(source_of(20_000))
            busy = session.begin("textDocument/diagnostic", {"textDocument": {"uri": URI}})
            time.sleep(0.5)
        times = []
        for _ in range(rounds * 10):
            position = {"line": 3, "character": 5}
            times.append(session.ask("textDocument/hover", {"textDocument": {"uri": URI}, "position": position})[0])
            time.sleep(0.01)
        if busy is not None:
            session.edit(0, 0, 0, "#")
            session.wait(busy)
        table.add_row(
            name, str(len(times)), f"{percentile(times, 0.5) * 1000:.1f}", f"{percentile(times, 0.99) * 1000:.1f}"
        )
    session.close()
    return table


def ghost(rounds: int) -> Table:
    """A body for a docstring, typed and asked for by key."""
    table = Table("", "bodies", "p50 ms", "p95 ms", title="Ghost text")
    session = Session()
    for name, trigger in (("first of the session", 1), ("while typing", 2), ("by key, three candidates", 1)):
        times, bodies = [], 0
        for index in range(1 if name.startswith("first") else rounds):
            function, arguments, docstring = STUBS[index % len(STUBS)]
            stub = f'def {function}_{index}({arguments}):\n    """{docstring}"""\n    '
            session.open(stub)
            position = {"line": 2, "character": 4}
            params = {"textDocument": {"uri": URI}, "position": position, "context": {"triggerKind": trigger}}
            seconds, answer = session.ask("textDocument/inlineCompletion", params)
            times.append(seconds)
            bodies += bool(answer and answer["items"])
        table.add_row(name, f"{bodies}/{len(times)}", ms(percentile(times, 0.5)), ms(percentile(times, 0.95)))
    session.close()
    return table


def memory(minutes: float) -> Table:
    """Accelerated typing in a file of 1,000 lines: an edit every few milliseconds, diagnostics at every pause.

    What is typed is taken back after the next pause: the file stays as large as it is.
    """
    table = Table("after", "edits", "server and worker MB", title="Memory while typing")
    session = Session()
    text = source_of(1000)
    session.open(text)
    session.pull()
    rows = text.count("\n")
    chance = random.Random(1)
    begun, count = time.monotonic(), 0
    marks = iter(share * minutes * 60 for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0))
    mark = next(marks)
    while True:
        if time.monotonic() - begun >= mark:
            table.add_row(f"{mark:.0f} s", f"{count:,}", f"{session.memory() / 1e6:.0f}")
            following = next(marks, None)
            if following is None:
                break
            mark = following
        typed = [(chance.randrange(rows), chance.choice(["#", " ", "x", "(", "'", "é"])) for _ in range(20)]
        for row, character in typed:
            session.edit(row, 0, 0, character)
            time.sleep(0.003)
        session.pull()
        for row, _ in typed:
            session.edit(row, 0, 1, "")
            time.sleep(0.003)
        session.pull()
        count += 2 * len(typed)
    session.close()
    return table


TABLES: dict[str, Callable[[Any], Table]] = {
    "launch": launch,
    "edits": edits,
    "changed": changed,
    "small": small,
    "ghost": ghost,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(sys.modules[__name__]), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="measurements per row")
    parser.add_argument("--minutes", type=float, default=1.0, help="of typing for the memory table")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    arguments = parser.parse_args()
    console = Console()
    for name in _chosen(arguments.only):
        console.print(TABLES[name](arguments.minutes if name == "memory" else arguments.rounds))


def _chosen(names: list[str]) -> Iterator[str]:
    return (name for name in TABLES if name in names)


if __name__ == "__main__":
    main()
