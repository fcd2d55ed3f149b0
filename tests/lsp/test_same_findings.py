"""The editor shows what the command line prints: same text, same bundle, same findings."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import sysconfig
from pathlib import Path

import pytest
from lsp_client import FULL, ProcessClient, environment

from codehunch.syntax.decoding import SourceUnreadable, decode_source


@pytest.mark.slow
async def test_two_hundred_files(tmp_path: Path) -> None:
    """Files of the standard library as they are, some of them after edits that come and go in the editor."""
    chance = random.Random(11)
    library = [path for path in Path(sysconfig.get_path("stdlib")).rglob("*.py") if "site-packages" not in path.parts]
    sources = {}
    for path in chance.sample(sorted(library), 260):
        try:
            text = decode_source(path.read_bytes()).source.text
        except SourceUnreadable:
            continue
        if len(text) < 60_000:
            copy = tmp_path / f"{len(sources)}_{path.name}"
            copy.write_bytes(text.encode("utf-8", "surrogatepass"))
            sources[copy] = text
    sources = dict(list(sources.items())[:200])
    argv = [sys.executable, "-m", "codehunch"]
    command_line = await asyncio.create_subprocess_exec(
        *argv,
        "check",
        str(tmp_path),
        "--format",
        "json",
        "--sensitivity",
        "high",
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    printed, _ = await command_line.communicate()
    expected: dict[str, list[object]] = {str(path): [] for path in sources}
    for row in json.loads(printed):
        if row["filename"] in expected:
            places = [(end["row"] - 1, end["column"] - 1) for end in (row["location"], row["end_location"])]
            expected[row["filename"]].append((row["code"], row["message"], *places))
    capabilities = {**FULL, "general": {"positionEncodings": ["utf-32"]}}
    client = await ProcessClient.spawn(*argv, "serve", "--stdio")
    await client.initialize(capabilities, initializationOptions={"sensitivity": "high"})
    for number, (path, text) in enumerate(sources.items()):
        uri = path.as_uri()
        if number % 3:
            client.open(text, uri)
        else:
            middle = text.count("\n") // 2
            place = {"line": middle, "character": 0}
            client.open(text, uri, version=1)
            await client.pull(uri)
            client.change([{"range": {"start": place, "end": place}, "text": "def broken(:\n"}], uri, version=2)
            await client.pull(uri)
            client.change(
                [{"range": {"start": place, "end": {"line": middle + 1, "character": 0}}, "text": ""}], uri, version=3
            )
        report = await client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}}, 300)
        shown = [
            (each["code"], each["message"], *((end["line"], end["character"]) for end in each["range"].values()))
            for each in report["items"]
        ]
        assert shown == expected[str(path)], path
        client.close_document(uri)
    assert any(expected.values())
    assert await client.stop() == 0
