"""A model server of the Open Inference Protocol over a repository folder, which fails on command.

It runs the graphs for real; what it adds is control over the ways in which servers fail.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from codehunch.inference.remote import DATATYPES
from codehunch.inference.repository import VERSION
from codehunch.inference.session import create_session

Fault = Callable[["Handler"], bool]
"""Called before a request is served; true where it has answered, or has not, in its own way."""

NAMES = {np.dtype(kind): name for name, kind in DATATYPES.items()}


class ModelServer(ThreadingHTTPServer):
    """Serves ``repository`` on a free port of this machine. ``faults`` are used up, one per request."""

    daemon_threads = True

    def __init__(self, repository: Path, binary: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.binary = binary
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        """Path and headers of every request."""
        self.sessions = {
            path.name: create_session(path / VERSION / "model.onnx", 1)
            for path in repository.iterdir()
            if path.is_dir()
        }
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def inferences(self) -> int:
        return sum(path.endswith("/infer") for path, _ in self.seen)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def reply(self, body: bytes, status: int = 200, **headers: str) -> bool:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.path, dict(self.headers.items())))
        if self.server.faults and self.server.faults.pop(0)(self):
            return
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            extensions = ["binary_tensor_data"] if self.server.binary else []
            self.reply(json.dumps({"name": "test", "version": "1", "extensions": extensions}).encode())
        elif (session := self.server.sessions.get(parts[2])) is None:
            self.reply(json.dumps({"error": f"no model {parts[2]}"}).encode(), 404)
        elif parts[3:] == ["infer"]:
            self._infer(session)
        else:
            described = {
                key: [
                    {"name": node.name, "datatype": "INT64" if "int64" in node.type else "FP32", "shape": [-1, -1]}
                    for node in nodes
                ]
                for key, nodes in (("inputs", session.get_inputs()), ("outputs", session.get_outputs()))
            }
            self.reply(json.dumps({"name": parts[2], **described}).encode())

    def _infer(self, session: Any) -> None:
        length = int(self.headers.get("Inference-Header-Content-Length") or len(self.body))
        request, rest = json.loads(self.body[:length]), self.body[length:]
        feed = {}
        for each in request["inputs"]:
            kind = DATATYPES[each["datatype"]]
            if "data" in each:
                flat = np.asarray(each["data"], dtype=kind)
            else:
                size = each["parameters"]["binary_data_size"]
                flat, rest = np.frombuffer(rest[:size], dtype=kind), rest[size:]
            feed[each["name"]] = flat.reshape(each["shape"])
        names = [each["name"] for each in request["outputs"]]
        outputs, tail = [], b""
        for name, array in zip(names, session.run(names, feed), strict=True):
            described: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": NAMES[array.dtype]}
            if self.server.binary:
                described["parameters"] = {"binary_data_size": array.nbytes}
                tail += array.tobytes()
            else:
                described["data"] = array.ravel().tolist()
            outputs.append(described)
        head = json.dumps({"model_name": self.path.split("/")[3], "outputs": outputs}).encode()
        if self.server.binary:
            self.reply(head + tail, Inference_Header_Content_Length=str(len(head)))
        else:
            self.reply(head)


def status(code: int, error: str = "no reason") -> Fault:
    return lambda handler: handler.reply(json.dumps({"error": error}).encode(), code)


def body(text: bytes, **headers: str) -> Fault:
    return lambda handler: handler.reply(text, **headers)


def hang_up(handler: Handler) -> bool:
    handler.close_connection = True
    handler.connection.close()
    return True


def cut_off(handler: Handler) -> bool:
    """Half an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"outputs": [')
    return hang_up(handler)


def wait(seconds: float) -> Fault:
    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return False

    return fault


def drip(handler: Handler) -> bool:
    """Bytes, one by one, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)
