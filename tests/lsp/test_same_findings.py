"""The editor shows what the command line prints: the two programs with the shipped model, on files any machine has."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import FULL, ProcessClient, environment

from codehunch.syntax.decoding import SourceUnreadable, decode_source

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "codehunch"]


@pytest.mark.parametrize(
    ("count", "longest"), [(8, 6_000), pytest.param(200, 60_000, marks=pytest.mark.slow)], ids=["sample", "all"]
)
async def test_two_hundred_files(tmp_path: Path, count: int, longest: int) -> None:
    """Files of the standard library, an example with a defect, and every third of them edited back and forth."""
    sources = {}
    for name, text in files(count, longest):
        copy = tmp_path / f"{len(sources)}_{name}"
        copy.write_bytes(text.encode("utf-8", "surrogatepass"))
        sources[copy] = text
    assert len(sources) == count
    expected = await printed(tmp_path)
    assert set(expected) <= set(map(str, sources))
    client = await ProcessClient.spawn(*PROGRAM, "serve", "--stdio")
    capabilities = {**FULL, "general": {"positionEncodings": ["utf-32"]}}
    # Without the cache: what the command line has found must not be what the editor shows.
    options = {"sensitivity": "high", "workspaceIndex": False, "cache": False}
    await client.initialize(capabilities, initializationOptions=options)
    for number, (path, text) in enumerate(sources.items()):
        uri = path.as_uri()
        client.open(text, uri)
        if number % 3 == 0:
            await half_typed(client, uri, text.count("\n") // 2)
        assert await shown(client, uri) == expected.get(str(path), []), path
        client.close_document(uri)
    found = [len(each) for each in expected.values()]
    print(
        f"{count} files, {sum(map(str.__len__, sources.values())):,} characters, {sum(found)} findings in {len(found)}"
    )
    assert sum(found)
    assert await client.stop() == 0


def files(count: int, longest: int) -> Iterator[tuple[str, str]]:
    """Names and texts."""
    for name in ("inventory.py", "sums.py"):
        yield name, (ROOT / "examples" / name).read_text(encoding="utf-8")
    left = count - 2
    library = [path for path in Path(sysconfig.get_path("stdlib")).rglob("*.py") if "site-packages" not in path.parts]
    for path in random.Random(11).sample(sorted(library), len(library)):
        try:
            text = decode_source(path.read_bytes()).source.text
        except SourceUnreadable:
            continue
        if left and 500 < len(text) < longest:
            left -= 1
            yield path.name, text


async def printed(folder: Path) -> dict[str, list[Any]]:
    """What the command line says of each file that it has something to say of."""
    argv = [*PROGRAM, "check", str(folder), "--format", "json", "--sensitivity", "high"]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=environment())
    found: dict[str, list[Any]] = {}
    for row in json.loads((await process.communicate())[0]):
        places = [(end["row"] - 1, end["column"] - 1) for end in (row["location"], row["end_location"])]
        found.setdefault(row["filename"], []).append((row["code"], row["message"], *places))
    assert process.returncode == (1 if found else 0)
    return found


async def half_typed(client: ProcessClient, uri: str, row: int) -> None:
    """A line that breaks the file comes and goes."""
    start, end = {"line": row, "character": 0}, {"line": row + 1, "character": 0}
    await client.pull(uri)
    client.change([{"range": {"start": start, "end": start}, "text": "def broken(:\n"}], uri, version=2)
    await client.pull(uri)
    client.change([{"range": {"start": start, "end": end}, "text": ""}], uri, version=3)


async def shown(client: ProcessClient, uri: str) -> list[Any]:
    """What the editor shows, in the same shape."""
    report = await client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}}, 300)
    return [
        (each["code"], each["message"], *((end["line"], end["character"]) for end in each["range"].values()))
        for each in report["items"]
    ]
