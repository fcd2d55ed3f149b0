"""One question to the installed server over its protocol, without an editor: what it offers unasked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import IO, Any

AUTOMATIC = 2


def bodies_of(codehunch: Path, folder: Path, texts: dict[str, str]) -> dict[str, list[str]]:
    """For each name the bodies that ghost text would show at the end of its text."""
    command = [codehunch, "serve", "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        wire = _Wire(server.stdin, server.stdout)
        start = {
            "processId": None,
            "rootUri": folder.as_uri(),
            "capabilities": {"textDocument": {"inlineCompletion": {}}},
            "initializationOptions": {"generationSeconds": 60},
        }
        wire.ask("initialize", start)
        wire.tell("initialized", {})
        found = {name: _bodies(wire, (folder / name).as_uri(), text) for name, text in texts.items()}
        wire.ask("shutdown", None)
        wire.tell("exit", None)
    return found


def _bodies(wire: _Wire, uri: str, text: str) -> list[str]:
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    wire.tell("textDocument/didOpen", {"textDocument": document})
    lines = text.split("\n")
    position = {"line": len(lines) - 1, "character": len(lines[-1])}
    context = {"triggerKind": AUTOMATIC}
    answer = wire.ask(
        "textDocument/inlineCompletion", {"textDocument": document, "position": position, "context": context}
    )
    return [item["insertText"] for item in (answer or {}).get("items", [])]


class _Wire:
    def __init__(self, out: IO[bytes], into: IO[bytes]) -> None:
        self._out, self._into, self._number = out, into, 0

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                return message.get("result")
            if "id" in message and "method" in message:
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._out.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._out.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._into.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the server ended"
        message: dict[str, Any] = json.loads(self._into.read(length))
        return message
