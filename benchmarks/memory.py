"""Resident memory of the worker process that serves the editor: both default bundles loaded, and after many requests.

    python benchmarks/memory.py                      10,000 checks of different functions, a body after every hundredth
    python benchmarks/memory.py --requests 1000

Every function is new, so none is answered from a cache. The process of a bare Python with onnxruntime, numpy and
tokenizers imported stands beside it: what is below that line is not ours to save.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs
from rich.console import Console
from rich.progress import track
from rich.table import Table

from codehunch.inference.worker import WorkerClient
from codehunch.lsp.requests import CheckRequest, GenerateReply, GenerateRequest, ServiceOptions
from codehunch.lsp.server import SERVICE

LIMIT, FLAT = 400_000_000, 1.05
BODY = '''def mean_of_{0}(values):
    """Return the mean of the values, or 0 for an empty list."""
'''
TEMPLATES = (
    """def f{0}(first, second):
    total = 0
    for item in first:
        total += item.{1}
    return total + {0}
""",
    """def g{0}(path, cache):
    if path not in cache:
        cache[path] = open(path).read()
    return cache[path], {0}
""",
    """def h{0}(a, b):
    low, high = min(a.x, b.x), max(a.y, b.{1})
    if low < {0}:
        raise ValueError(low)
    return [low, high, a.width * b.height]
""",
)
BARE = "import numpy, onnxruntime, tokenizers; print(open('/proc/self/statm').read().split()[1])"


@attrs.frozen
class Sample:
    """Resident bytes after so many requests."""

    requests: int
    resident: int


def main() -> None:
    """Parse the arguments, serve the requests, print the table; exit 1 where memory grows or is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--body-every", type=int, default=100, help="ask for a body after so many checks")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if not Path("/proc/self/statm").exists():
        sys.exit("this system does not tell a process its memory")
    with tempfile.TemporaryDirectory() as home:
        os.environ["CODEHUNCH_HOME"] = home  # The default bundles, and an empty cache.
        samples = asyncio.run(serve(arguments.requests, arguments.body_every))
    bare = int(subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True).stdout)
    growth = report(console, samples, bare * os.sysconf("SC_PAGE_SIZE"))
    largest = max(sample.resident for sample in samples)
    sys.exit(0 if growth <= FLAT and largest <= LIMIT else 1)


async def serve(requests: int, body_every: int) -> list[Sample]:
    """Resident memory once both models have worked, and twenty times on the way."""
    client = WorkerClient(SERVICE, ServiceOptions())
    samples = []
    try:
        await check(client, -1)
        reply = await client.call("generate", body(0))
        assert isinstance(reply, GenerateReply)
        assert reply.place is not None, "nothing was asked for"
        samples.append(Sample(0, client.resident))
        for number in track(range(requests), "requests", console=Console(stderr=True), transient=True):
            await check(client, number)
            if number % body_every == body_every - 1:
                await client.call("generate", body(number))
            if (number + 1) % max(1, requests // 20) == 0:
                samples.append(Sample(number + 1, client.resident))
        assert client.starts == 1, "the worker was replaced on the way"
    finally:
        await client.close()
    return samples


async def check(client: WorkerClient, number: int) -> None:
    """A text of one to six functions that nobody has seen before."""
    count = 1 + number % 6
    functions = [TEMPLATES[(number + i) % 3].format(6 * number + i + 10, "xyz"[number % 3]) for i in range(count)]
    await client.call("check", CheckRequest("", "\n\n".join(functions), "python", "high"))


def body(number: int) -> GenerateRequest:
    text = BODY.format(number + 1)
    return GenerateRequest(text=text, language="python", offset=len(text), candidates=1, seconds=30.0)


def report(console: Console, samples: Sequence[Sample], bare: int) -> float:
    """Print the table; gives the last quarter's median over the second quarter's: 1.0 is flat."""
    table = Table("after requests", box=None, header_style="bold", pad_edge=False)
    for head in ("MB", "limit of 400 MB = 1", "bare runtime = 1"):
        table.add_column(head, justify="right")
    for sample in samples:
        shares = (f"{sample.resident / LIMIT:.2f}x", f"{sample.resident / bare:.2f}x")
        table.add_row(f"{sample.requests:,}", f"{sample.resident / 1e6:,.0f}", *shares)
    table.add_row("bare runtime", f"{bare / 1e6:,.0f}", f"{bare / LIMIT:.2f}x", "1.00x")
    console.print(table)
    served = [sample.resident for sample in samples[1:]]
    quarter = max(1, len(served) // 4)
    growth = statistics.median(served[-quarter:]) / statistics.median(served[quarter : 2 * quarter] or served)
    console.print(f"last quarter over the second: {growth:.3f}")
    return growth


if __name__ == "__main__":
    main()
