"""Time per 1,000 lines and memory of ``codehunch check`` over a tree, side by side with the linters that are installed.

    python benchmarks/check.py                       the standard library of this Python
    python benchmarks/check.py src --lines 20000     files of a tree until they hold 20,000 lines, spread evenly
    python benchmarks/check.py --peers ruff pylint

Every tool reads the same copies of the same files, one after the other, without a cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from codehunch import __version__
from codehunch.files import SourceFile, walk
from codehunch.settings import DEFAULTS

PEERS = ("ruff", "pyflakes", "pylint", "pyright")
INTERVAL = 0.1
"""Seconds between two looks at the memory."""
BARS = "▁▂▃▄▅▆▇█"


@attrs.frozen
class Run:
    """One tool over the tree."""

    name: str
    version: str
    seconds: float
    memory: tuple[int, ...]
    """Bytes held by the process and its children, every INTERVAL seconds."""
    largest: int
    """The most bytes the process itself held at any time."""
    output: str

    @property
    def peak(self) -> int:
        return max(self.largest, *self.memory, 0)

    @property
    def growth(self) -> float:
        """Median memory of the last quarter over that of the second: 1.0 is flat."""
        quarter = len(self.memory) // 4
        if not quarter:
            return 1.0
        second, last = sorted(self.memory[quarter : 2 * quarter]), sorted(self.memory[-quarter:])
        return last[len(last) // 2] / max(1, second[len(second) // 2])


def main() -> None:
    """Parse the arguments, run the tools, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path, default=Path(sysconfig.get_path("stdlib")))
    parser.add_argument("--lines", type=int, help="read no more than about this many lines")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="which of the others to run")
    parser.add_argument("--threads", type=int, help="threads of codehunch's model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON as well")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="codehunch-benchmark-") as folder:
        files, lines = copy_sample(arguments.tree, Path(folder), arguments.lines)
        console.print(f"{arguments.tree}: {files:,} files, {lines:,} lines, {os.cpu_count()} cores", highlight=False)
        runs = []
        for name, version, command in tools(arguments.peers, arguments.threads):
            console.print(f"[dim]{name} {version} ...[/]", highlight=False)
            runs.append(measure(name, version, [*command, folder]))
    console.print(table(runs, lines))
    console.print(f"memory of codehunch over time {curve(runs[0].memory)}", highlight=False)
    console.print(f"codehunch reported {len(json.loads(runs[0].output)):,} findings", highlight=False)
    if arguments.json:
        rows = [
            {**attrs.asdict(run, filter=attrs.filters.exclude("output")), "growth": run.growth, "peak": run.peak}
            for run in runs
        ]
        arguments.json.write_text(json.dumps({"files": files, "lines": lines, "runs": rows}, indent=2) + "\n")


def copy_sample(tree: Path, out: Path, limit: int | None) -> tuple[int, int]:
    """Copy the files that ``codehunch check tree`` would read, evenly thinned out to ``limit`` lines."""
    found = [entry for entry in walk([str(tree)], ("python",), lambda path: DEFAULTS) if isinstance(entry, SourceFile)]
    counts = [Path(file.path).read_bytes().count(b"\n") for file in found]
    keep = min(1.0, limit / max(1, sum(counts))) if limit else 1.0
    files = lines = 0
    for number, (file, count) in enumerate(zip(found, counts, strict=True)):
        # Takes every file at which the running share passes the next whole number.
        if int((number + 1) * keep) == int(number * keep):
            continue
        target = out / os.path.relpath(file.path, tree if tree.is_dir() else tree.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)
        files, lines = files + 1, lines + count
    return files, lines


def tools(peers: Sequence[str], threads: int | None) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and command of codehunch and of every peer that is installed."""
    own = [sys.executable, "-m", "codehunch", "check", "--no-cache", "--format", "json"]
    yield "codehunch", __version__, [*own, "--threads", str(threads)] if threads else own
    options = {
        "ruff": ["check", "--isolated", "--no-cache", "--exit-zero", "--output-format", "json"],
        "pyflakes": [],
        "pylint": ["--recursive=y", "--persistent=n", "--rcfile=" + os.devnull, "--output-format=json"],
        "pyright": ["--outputjson"],
    }
    where = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    for name in peers:
        program = shutil.which(name, path=where)
        if program is not None:
            told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()
            version = next((word for word in told if word[:1].isdigit()), "")
            yield name, version, [program, *options[name]]


def measure(name: str, version: str, command: Sequence[str]) -> Run:
    """Run a command to its end. Exit code 1, which means findings, is fine; others are shown."""
    memory: list[int] = []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        running = subprocess.Popen(command, stdout=out, stderr=err)
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(INTERVAL):
                memory.append(resident(running.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        # Unlike wait(), this tells the peak of a process too short to be sampled.
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = code = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        out.seek(0)
        err.seek(0)
        if code not in (0, 1) and name == "codehunch":
            sys.exit(f"codehunch failed with exit code {code}:\n{err.read().decode(errors='replace')[-2000:]}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Run(name, version, seconds, tuple(memory), usage.ru_maxrss * unit, out.read().decode(errors="replace"))


def resident(pid: int) -> int:
    """Resident bytes of a process and everything below it; 0 where the system has no /proc."""
    total = 0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            pages = int(Path(f"/proc/{current}/statm").read_text().split()[1])
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, IndexError, ValueError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def table(runs: Sequence[Run], lines: int) -> Table:
    """All runs with their ratio to the first."""
    result = Table("tool", box=None, header_style="bold", pad_edge=False)
    for title in ("seconds", "ms/1k lines", "lines/s", "time", "peak MB", "memory", "growth"):
        result.add_column(title, justify="right")
    own = runs[0]
    for run in runs:
        result.add_row(
            f"{run.name} {run.version}",
            f"{run.seconds:.1f}",
            f"{1e6 * run.seconds / max(1, lines):,.1f}",
            f"{lines / run.seconds:,.0f}",
            f"{run.seconds / own.seconds:.2f}x",
            f"{run.peak / 1e6:,.0f}",
            f"{run.peak / max(1, own.peak):.2f}x",
            f"{run.growth:.2f}x",
        )
    return result


def curve(memory: Sequence[int], width: int = 60) -> str:
    """Memory over time in one line, scaled from nothing to the peak."""
    if not memory or not max(memory):
        return "(not measured on this system)"
    points = [memory[number * len(memory) // width] for number in range(min(width, len(memory)))]
    peak = max(memory)
    return "".join(BARS[min(7, 8 * point // peak)] for point in points) + f" {peak / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
