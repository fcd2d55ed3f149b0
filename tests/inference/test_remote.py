"""A model server in the place of this machine: the same findings, clean errors, and this machine where it fails."""

from __future__ import annotations

import logging
import os
import random
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.store import default_bundle
from codehunch.cli import main
from codehunch.defects.detector import Detector
from codehunch.defects.findings import Finding
from codehunch.defects.options import CheckOptions
from codehunch.inference import fallback
from codehunch.inference.fallback import model_name
from codehunch.inference.placement import Endpoint, Placement
from codehunch.inference.remote import TOKEN_VARIABLE, RemoteError, RemoteModel, token_for
from codehunch.inference.repository import write_repository
from codehunch.syntax.text import SourceText

sys.path.insert(0, str(Path(__file__).parent))

from model_server import Fault, ModelServer, body, cut_off, drip, hang_up, status, wait

SOURCE = SourceText((Path(__file__).parents[2] / "examples" / "textutils.py").read_text(encoding="utf-8"))
"""Mistakes that the embedded bundle is known to see."""
OPTIONS = CheckOptions(sensitivity="high")
QUICK = {"timeout": 5.0, "pause": 0.001}


@pytest.fixture(scope="module", name="bundle")
def _bundle() -> Bundle:
    found = default_bundle("defects")
    assert found is not None
    return found


@pytest.fixture(scope="module", name="repository")
def _repository(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    write_repository(bundle, folder)
    return folder


@pytest.fixture(name="server", params=["json", "binary"])
def _server(repository: Path, request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    server = ModelServer(repository, binary=request.param == "binary")
    yield server
    server.stop()


@pytest.fixture(name="plain")
def _plain(repository: Path) -> Iterator[ModelServer]:
    server = ModelServer(repository)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.fixture(scope="module", name="expected")
def _expected(bundle: Bundle) -> tuple[Finding, ...]:
    found = Detector(bundle, threads=1).check(SOURCE, "python", OPTIONS)
    assert found
    return found


def remote(bundle: Bundle, server: ModelServer, told: list[str] | None = None, **changes: float) -> Detector:
    endpoint = Endpoint(server.url, **{**QUICK, **changes})  # type: ignore[arg-type]
    return Detector(bundle, placement=Placement(1, endpoint, (told if told is not None else []).append))


def model(bundle: Bundle, server: ModelServer, **changes: float) -> RemoteModel:
    return RemoteModel(Endpoint(server.url, **{**QUICK, **changes}), model_name(bundle, "model.onnx"))  # type: ignore[arg-type]


LABELS = len(default_bundle("defects").manifest.defects.labels)
FEED = {name: np.ones((1, 8), dtype=np.int64) for name in ("input_ids", "attention_mask", "identifier_ids")}


def test_the_same_findings(bundle: Bundle, server: ModelServer, expected: tuple[Finding, ...]) -> None:
    told: list[str] = []
    detector = remote(bundle, server, told)
    assert detector.check(SOURCE, "python", OPTIONS) == expected
    assert told == []
    assert server.inferences > 2
    assert len({headers["User-Agent"] for _, headers in server.seen}) == 1


@pytest.mark.parametrize(
    "faults",
    [[status(503)], [status(503), status(429)], [hang_up], [hang_up, status(502)], [wait(0.3)]],
    ids=["503", "503 and 429", "hung up", "hung up and 502", "slow"],
)
def test_what_may_pass_is_tried_again(bundle: Bundle, plain: ModelServer, faults: list[Fault]) -> None:
    client = model(bundle, plain)
    client.tensors()
    plain.faults += faults
    logits, tokens = client.run(None, FEED)
    assert (logits.shape, tokens.shape, logits.dtype) == ((1, LABELS), (1, 8, LABELS), np.float32)


def test_pauses_are_random_and_grow(bundle: Bundle, plain: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[list[float]] = []
    monkeypatch.setattr("codehunch.inference.remote.time.sleep", lambda seconds: pauses[-1].append(seconds))
    for seed in range(20):
        client = model(bundle, plain, pause=0.1, attempts=4)
        client.tensors()
        client._random = random.Random(seed)
        pauses.append([])
        plain.faults += [status(503)] * 4
        with pytest.raises(RemoteError, match="answered 503: no reason"):
            client.run(None, FEED)
    assert all(len(each) == 3 for each in pauses)
    assert all(0 <= pause <= 0.2 * 2**number for each in pauses for number, pause in enumerate(each))
    means = [sum(each[number] for each in pauses) / len(pauses) for number in range(3)]
    assert means[0] < means[1] < means[2]
    assert len({each[0] for each in pauses}) == 20


@pytest.mark.parametrize(
    ("fault", "words", "requests"),
    [
        (status(400, "wrong\nshape"), "answered 400: wrong shape", 1),
        (status(404), "answered 404", 1),
        (status(401), "answered 401", 1),
        (body(b"", Location="http://elsewhere.example"), "not of the protocol", 1),
        (body(b"<html>"), "not of the protocol", 1),
        (body(b"[]"), "not of the protocol", 1),
        (body(b'{"outputs": 3}'), "not of the protocol", 1),
        (body(b'{"outputs": []}'), "not of the protocol", 1),
        (body(b'{"outputs": [{"name": "logits", "datatype": "FP32", "shape": [9], "data": [1]}]}'), "protocol", 1),
        (body(b'{"outputs": [{"name": "logits", "datatype": "BYTES", "shape": [1], "data": [1]}]}'), "protocol", 1),
        (body(b'{"outputs": [{"name": "logits", "datatype": "FP32", "shape": [1], "data": ["x"]}]}'), "protocol", 1),
        (
            body(
                b'{"outputs": [{"name": "logits", "datatype": "FP32", "shape": [2],'
                b' "parameters": {"binary_data_size": 8}}]}'
            ),
            "protocol",
            1,
        ),
        (body(b"{}", Inference_Header_Content_Length="many"), "protocol", 1),
        (body(b"[" * 100_000), "protocol", 1),
        (hang_up, "cannot be reached", 3),
        (cut_off, "cannot be reached", 3),
        (status(503), "answered 503", 3),
    ],
)
def test_a_failing_server_is_one_clean_error(
    bundle: Bundle, plain: ModelServer, fault: Fault, words: str, requests: int
) -> None:
    client = model(bundle, plain)
    client.tensors()
    plain.faults += [fault] * requests
    with pytest.raises(RemoteError, match=words) as caught:
        client.run(["logits"], FEED)
    assert plain.url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert plain.inferences == requests
    assert client.run(["logits"], FEED)[0].shape == (1, LABELS), "the next call is served"


@pytest.mark.parametrize("fault", [wait(20.0), drip], ids=["silent", "dripping"])
def test_a_time_out_holds_whatever_the_server_does(bundle: Bundle, plain: ModelServer, fault: Fault) -> None:
    client = model(bundle, plain, timeout=0.5)
    client.tensors()
    plain.faults += [fault] * 3
    start = time.monotonic()
    with pytest.raises(RemoteError, match="took too long"):
        client.run(None, FEED)
    assert time.monotonic() - start < 15


def test_this_machine_steps_in_and_says_so_once(
    bundle: Bundle, plain: ModelServer, expected: tuple[Finding, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    detector = remote(bundle, plain, told)
    assert detector.check(SOURCE, "python", OPTIONS) == expected
    plain.faults += [status(500)] * 3
    detector._cache._held.clear()
    assert detector.check(SOURCE, "python", OPTIONS) == expected
    assert [text.rpartition("; ")[2] for text in told] == ["computing on this machine instead"]
    before = plain.inferences
    detector._cache._held.clear()
    assert detector.check(SOURCE, "python", OPTIONS) == expected
    assert plain.inferences == before, "a server that failed is left alone for a while"
    monkeypatch.setattr(fallback, "RETRY_AFTER", 0.0)
    detector._cache._held.clear()
    assert detector.check(SOURCE, "python", OPTIONS) == expected
    assert plain.inferences > before
    assert told[1:] == [f"the model server {plain.url} answers again"]


def test_a_server_without_this_very_model_is_not_used(
    bundle: Bundle, tmp_path: Path, expected: tuple[Finding, ...]
) -> None:
    server = ModelServer(tmp_path)
    told: list[str] = []
    assert remote(bundle, server, told).check(SOURCE, "python", OPTIONS) == expected
    server.stop()
    assert len(told) == 1
    assert f"no model {model_name(bundle, 'model.onnx')}" in told[0]


def test_nobody_listens(bundle: Bundle, plain: ModelServer, expected: tuple[Finding, ...]) -> None:
    plain.stop()
    told: list[str] = []
    assert remote(bundle, plain, told).check(SOURCE, "python", OPTIONS) == expected
    assert len(told) == 1
    assert "cannot be reached (Connection refused)" in told[0] or os.name == "nt"


@pytest.mark.parametrize(
    ("url", "variable", "expected"),
    [
        ("https://models.example", "models.example=abc=", "abc="),
        ("https://models.example:8443/path", "models.example=abc", "abc"),
        ("https://models.example:8443", "models.example:8443= abc ", "abc"),
        ("http://localhost:8080", "localhost=abc", "abc"),
        ("http://127.0.0.1:8080", "127.0.0.1=abc", "abc"),
        ("https://models.example", "", None),
        ("https://elsewhere.example", "models.example=abc", None),
        ("https://models.example.elsewhere", "models.example=abc", None),
        ("http://models.example", "models.example=abc", RemoteError),
        ("https://models.example", "abc", RemoteError),
        ("https://models.example", "models.example=", RemoteError),
        ("https://models.example", "models.example=a\r\nHost: b", RemoteError),
    ],
)
def test_a_token_goes_to_its_host_and_not_in_the_clear(url: str, variable: str, expected: object) -> None:
    if expected is RemoteError:
        with pytest.raises(RemoteError) as caught:
            token_for(url, variable)
        assert "abc" not in str(caught.value)
    else:
        assert token_for(url, variable) == expected


def test_the_token_is_sent(bundle: Bundle, plain: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "127.0.0.1=secret")
    model(bundle, plain).run(None, FEED)
    assert {headers.get("Authorization") for _, headers in plain.seen} == {"Bearer secret"}
    plain.seen.clear()
    monkeypatch.setenv(TOKEN_VARIABLE, "models.example=secret")
    model(bundle, plain).run(None, FEED)
    assert {headers.get("Authorization") for _, headers in plain.seen} == {None}


@pytest.fixture(scope="module", name="certificate")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """A self-signed certificate for a name, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificates with openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def make(name: str) -> tuple[Path, Path]:
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext".split()
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([openssl, *request, f"subjectAltName={name}", *files], check=True, capture_output=True)
        return certificate, key

    return make


@pytest.mark.parametrize(
    ("name", "trusted", "complaint"),
    [
        ("IP:127.0.0.1", True, None),
        ("IP:127.0.0.1", False, "certificate that cannot be trusted"),
        ("DNS:models.example", True, "certificate that cannot be trusted"),
    ],
)
def test_tls_is_verified(
    bundle: Bundle,
    plain: ModelServer,
    certificate: Callable[[str], tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trusted: bool,
    complaint: str | None,
) -> None:
    public, key = certificate(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    plain.socket = context.wrap_socket(plain.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
    endpoint = Endpoint(plain.url.replace("http:", "https:"), timeout=5.0, pause=0.001)
    client = RemoteModel(endpoint, model_name(bundle, "model.onnx"))
    if complaint is None:
        assert client.run(["logits"], FEED)[0].shape == (1, LABELS)
    else:
        with pytest.raises(RemoteError, match=complaint):
            client.run(["logits"], FEED)
        assert plain.seen == [], "nothing was sent to a server that is not trusted"


def test_the_command_line_asks_the_server_that_is_set(
    plain: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODEHUNCH_HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    (project / "a.py").write_text(SOURCE.text)
    command = ["check", "--sensitivity", "high", "--no-cache", "--format", "json", "a.py"]
    assert main(command) == 1
    alone = capsys.readouterr()
    assert plain.seen == []
    (project / ".codehunch.toml").write_text(f'[inference]\nendpoint = "{plain.url}"\n')
    assert main(command) == 1
    there = capsys.readouterr()
    assert plain.inferences > 2
    assert there.out == alone.out
    assert f"functions are read by the model server {plain.url}" in there.err
    plain.stop()
    assert main(command) == 1
    failed = capsys.readouterr()
    assert failed.out == alone.out
    assert failed.err.count("computing on this machine instead") == 1


def test_nothing_of_the_code_or_the_token_is_logged(
    bundle: Bundle, plain: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "127.0.0.1=secret")
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        detector = remote(bundle, plain, told)
        plain.faults += [status(503)] * 9
        detector.check(SOURCE, "python", OPTIONS)
    assert told
    assert not any("secret" in text or "def " in text for text in [caplog.text, *told])
