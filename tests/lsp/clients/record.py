"""A language server that writes down what an editor says of itself, and can do nothing else.

Point an editor at ``python tests/lsp/clients/record.py OUT.json`` as its server for Python and open a Python file.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

_PLAIN_LIST = re.compile(r'\[\s+((?:"[^"]*"|\d+)(?:,\s+(?:"[^"]*"|\d+))*)\s+\]')


def layout(capabilities: object) -> str:
    """JSON with one plain list per line."""
    text = json.dumps(capabilities, indent=1, sort_keys=True)
    return _PLAIN_LIST.sub(lambda found: "[" + re.sub(r",\s+", ", ", found[1]) + "]", text) + "\n"


def read() -> dict[str, Any] | None:
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def main(out: Path) -> None:
    while (message := read()) is not None and message.get("method") != "exit":
        if "method" not in message or "id" not in message:
            continue
        result = None
        if message["method"] == "initialize":
            out.write_text(layout(message["params"]["capabilities"]), encoding="utf-8")
            result = {"capabilities": {"textDocumentSync": 1}}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
