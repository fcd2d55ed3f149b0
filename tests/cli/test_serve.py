"""Which addresses the server may listen on."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from codehunch.cli.serve import parse_address

from .conftest import Cli


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:2087", ("127.0.0.1", 2087)),
        ("localhost:2087", ("localhost", 2087)),
        ("LOCALHOST:1", ("LOCALHOST", 1)),
        ("127.9.9.9:2087", ("127.9.9.9", 2087)),
        ("[::1]:2087", ("::1", 2087)),
        (":2087", ("127.0.0.1", 2087)),
        ("2087", ("127.0.0.1", 2087)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
    ],
)
def test_loopback_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text, "--tcp", allow_remote=False) == expected


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "host", "::1", "a:²"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_address(text, "--tcp", allow_remote=False)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("0.0.0.0:1", "0.0.0.0"),
        ("192.168.1.2:1", "192.168.1.2"),
        ("[::]:1", "::"),
        ("example.org:1", "example.org"),
        ("localhost.example.org:1", "localhost.example.org"),
        ("128.0.0.1:1", "128.0.0.1"),
    ],
)
def test_other_machines_need_a_word(text: str, host: str) -> None:
    with pytest.raises(typer.BadParameter, match="--allow-remote"):
        parse_address(text, "--ws", allow_remote=False)
    assert parse_address(text, "--ws", allow_remote=True) == (host, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("stdio", "127.0.0.1", 0, None)),
        (["--stdio"], ("stdio", "127.0.0.1", 0, None)),
        (["--stdio", "--clientProcessId=77"], ("stdio", "127.0.0.1", 0, 77)),
        (["--tcp", ":2087"], ("tcp", "127.0.0.1", 2087, None)),
        (["--ws", "[::1]:0"], ("ws", "::1", 0, None)),
        (["--ws", "0.0.0.0:5", "--allow-remote"], ("ws", "0.0.0.0", 5, None)),
    ],
)
def test_the_server_gets_what_was_said(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: tuple[Any, ...]
) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr("codehunch.lsp.server.serve", lambda *called: calls.append(called))
    assert cli("serve", *arguments).code == 0
    assert calls == [expected]


def test_a_remote_address_is_refused_before_anything_starts(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codehunch.lsp.server.serve", lambda *called: pytest.fail("the server was started"))
    result = cli("serve", "--tcp", "0.0.0.0:2087")
    assert result.code == 2
    assert "use 127.0.0.1:2087, or say --allow-remote if that is meant" in " ".join(result.err.split())
