"""Graphs run by a model server: the Open Inference Protocol, version 2, over HTTP.

The only module of the package that opens a connection, and only to the endpoint a person has set. The protocol:
https://github.com/kserve/open-inference-protocol, with its binary tensor extension where the server offers it.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import attrs
import numpy as np
from numpy.typing import NDArray

from codehunch import __version__
from codehunch.inference.errors import InferenceError
from codehunch.inference.placement import Endpoint

logger = logging.getLogger(__name__)

TOKEN_VARIABLE = "CODEHUNCH_INFERENCE_TOKEN"
DATATYPES: dict[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
"""Names of the protocol. Strings and BF16 stand in no graph of ours."""

_NAMES = {np.dtype(kind): name for name, kind in DATATYPES.items()}
_BINARY = "binary_tensor_data"
_HEADER_LENGTH = "Inference-Header-Content-Length"
_MOST_BYTES = 256 * 2**20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that another attempt may not meet."""


class RemoteError(InferenceError):
    """The model server did not give the answer. The message names the endpoint and the reason."""


@attrs.frozen
class Tensor:
    """One input or output as the server describes it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 where any size goes."""


def token_for(url: str, variable: str | None = None) -> str | None:
    """The bearer token of an endpoint, from ``CODEHUNCH_INFERENCE_TOKEN=HOST=TOKEN``.

    A token names its host, so that a settings file that names another one does not get it, and it travels only over
    TLS or to this machine. Raises RemoteError where it would go out in the clear.
    """
    said = os.environ.get(TOKEN_VARIABLE, "") if variable is None else variable
    if not said:
        return None
    host, equals, token = said.partition("=")
    parts = urlsplit(url)
    if not equals or not token.strip() or any(c in token for c in "\r\n"):
        raise RemoteError(f"{TOKEN_VARIABLE} must read HOST=TOKEN, with the host of `inference.endpoint`")
    if host.strip().lower() not in ((parts.hostname or ""), parts.netloc.lower()):
        logger.warning("%s is for %s and is not sent to %s", TOKEN_VARIABLE, host.strip(), parts.hostname)
        return None
    if parts.scheme != "https" and not _is_local(parts.hostname or ""):
        raise RemoteError(f"{url}: a token is only sent over https")
    return token.strip()


class RemoteModel:
    """One model of a server, called like a session. Not thread-safe: it keeps one connection.

    Every call either answers or raises RemoteError within the endpoint's time-out.
    """

    _connection: http.client.HTTPConnection | None = None

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self._parts = urlsplit(endpoint.url)
        self._token = token_for(endpoint.url)
        self._tensors: tuple[tuple[Tensor, ...], tuple[Tensor, ...]] | None = None
        self._binary = False
        self._random = random.Random()

    def tensors(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Inputs and outputs of the model, asked for once."""
        if self._tensors is None:
            extensions = self._json("GET", "/v2").get("extensions")
            self._binary = isinstance(extensions, list) and _BINARY in extensions
            described = self._json("GET", f"/v2/models/{quote(self.name, safe='')}")
            self._tensors = self._described(described, "inputs"), self._described(described, "outputs")
        return self._tensors

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The named outputs, all where ``None``, in their order."""
        wanted = [tensor.name for tensor in self.tensors()[1]] if outputs is None else list(outputs)
        head, tail = _request(wanted, feed, self._binary)
        headers = {"Content-Type": "application/json"}
        if self._binary:
            headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(head))}
        path = f"/v2/models/{quote(self.name, safe='')}/infer"
        got, body = self._exchange("POST", path, head + tail, headers)
        try:
            return _answer(wanted, got.get(_HEADER_LENGTH.lower()), body)
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self._failed(f"gave an answer that is not of the protocol ({error!r:.100})") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def _described(self, answer: Mapping[str, Any], key: str) -> tuple[Tensor, ...]:
        try:
            return tuple(
                Tensor(str(each["name"]), str(each["datatype"]), tuple(int(size) for size in each["shape"]))
                for each in answer.get(key) or ()
            )
        except (LookupError, TypeError, ValueError) as error:
            raise self._failed(f"describes the {key} of {self.name} in a way that is not of the protocol") from error

    def _json(self, method: str, path: str) -> dict[str, Any]:
        _, body = self._exchange(method, path, b"", {})
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self._failed("does not speak the Open Inference Protocol: its answer is not JSON") from error
        if not isinstance(answer, dict):
            raise self._failed("does not speak the Open Inference Protocol: its answer is no JSON object")
        return answer

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[dict[str, str], bytes]:
        """Headers, in lower case, and body of the answer; failures that may pass are tried again, after pauses of
        random length, so that many clients of a server that comes back do not call at once."""
        deadline = time.monotonic() + self.endpoint.timeout
        reason = ""
        for attempt in range(self.endpoint.attempts):
            if attempt:
                pause = self._random.uniform(0, 2 * self.endpoint.pause * 2 ** (attempt - 1))
                if time.monotonic() + pause >= deadline:
                    break
                time.sleep(pause)
            try:
                status, got, answer = self._once(method, path, body, headers, deadline)
            except ssl.SSLCertVerificationError as error:
                raise self._failed(f"has a certificate that cannot be trusted ({error.verify_message})") from error
            except (OSError, http.client.HTTPException) as error:
                self.close()
                reason = "took too long" if isinstance(error, TimeoutError) else f"cannot be reached ({_of(error)})"
                continue
            if status == 200:
                return got, answer
            reason = f"answered {status}{_said(answer)}"
            if status not in _PASSING:
                break
        raise self._failed(reason)

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self._connected(deadline)
        sent = {"User-Agent": f"codehunch/{__version__}", "Accept-Encoding": "identity", **headers}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        connection.request(method, self._parts.path.rstrip("/") + path, body or None, sent)
        response = connection.getresponse()
        parts, size = [], 0
        # Piece by piece: a server that drips bytes must not outlive the deadline, nor fill the memory.
        while piece := response.read1(1 << 16):
            parts.append(piece)
            size += len(piece)
            if size > _MOST_BYTES:
                raise http.client.HTTPException("the answer has no end")
            self._limit(connection, deadline)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        response.close()  # read1 leaves an answer open that it has read to its end.
        if response.will_close:
            self.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, b"".join(parts)

    def _connected(self, deadline: float) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._parts.hostname or "", self._parts.port
            seconds = max(0.001, min(self.endpoint.connect_timeout, deadline - time.monotonic()))
            if self._parts.scheme == "https":
                context = ssl.create_default_context()  # Verifies chain and name; SSL_CERT_FILE adds an authority.
                self._connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=seconds)
            self._connection.connect()
        self._limit(self._connection, deadline)
        return self._connection

    def _limit(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)

    def _failed(self, reason: str) -> RemoteError:
        return RemoteError(f"the model server {self.endpoint.url} {reason}")


def _request(outputs: Sequence[str], feed: Mapping[str, NDArray[Any]], binary: bool) -> tuple[bytes, bytes]:
    """The JSON part and the binary part of a request."""
    inputs: list[dict[str, Any]] = []
    tail = []
    for name, array in feed.items():
        described: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": _NAMES[array.dtype]}
        if binary:
            tail.append(np.ascontiguousarray(array).tobytes())
            described["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            described["data"] = array.ravel().tolist()
        inputs.append(described)
    tree: dict[str, Any] = {"inputs": inputs, "outputs": [{"name": name} for name in outputs]}
    if binary:
        tree["parameters"] = {"binary_data_output": True}
    return json.dumps(tree, separators=(",", ":")).encode(), b"".join(tail)


def _answer(outputs: Sequence[str], header_length: str | None, body: bytes) -> list[NDArray[Any]]:
    length = int(header_length) if header_length is not None else len(body)
    tree, rest = json.loads(body[:length]), memoryview(body)[length:]
    found: dict[str, NDArray[Any]] = {}
    for each in tree["outputs"]:
        kind = DATATYPES[each["datatype"]]
        shape = tuple(int(size) for size in each["shape"])
        size = (each.get("parameters") or {}).get("binary_data_size")
        if size is not None:
            if not 0 <= size <= len(rest):
                raise ValueError("an output is longer than the answer")
            flat = np.frombuffer(rest[:size], dtype=kind)
            rest = rest[size:]
        else:
            flat = np.asarray(each["data"], dtype=kind).ravel()
        found[each["name"]] = flat.reshape(shape)
    return [found[name] for name in outputs]


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _of(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]


def _said(body: bytes) -> str:
    """What a server says about its failure, on one line."""
    try:
        text = str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return ": " + " ".join(text.split())[:200]
