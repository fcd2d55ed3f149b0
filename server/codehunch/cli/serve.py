"""``codehunch serve``: the language server, over stdio or a socket."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer

_LOOPBACK = "127.0.0.1"


def serve(
    stdio: Annotated[bool, typer.Option("--stdio", help="Talk over stdin and stdout; the default.")] = False,
    tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen on a TCP port.")] = None,
    ws: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen for WebSocket connections.")] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines connect. There is no password.")
    ] = False,
    client_process_id: Annotated[int | None, typer.Option("--clientProcessId", hidden=True)] = None,
) -> None:
    """Run the language server for an editor."""
    if sum((stdio, tcp is not None, ws is not None)) > 1:
        raise typer.BadParameter("choose one of --stdio, --tcp and --ws")
    if tcp is not None:
        host, port = parse_address(tcp, "--tcp", allow_remote)
    elif ws is not None:
        host, port = parse_address(ws, "--ws", allow_remote)
    else:
        host, port = _LOOPBACK, 0
    from codehunch.lsp.server import serve as run_server

    run_server("tcp" if tcp is not None else "ws" if ws is not None else "stdio", host, port, client_process_id)


def parse_address(text: str, option: str, allow_remote: bool) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[IPv6]:PORT``, ``:PORT`` or ``PORT``; the last two mean the loopback.

    Raises typer.BadParameter for what is no address, and for one other machines can reach unless that is allowed.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or _LOOPBACK
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, such as 127.0.0.1:2087", param_hint=option)
    if not allow_remote and not is_loopback(host):
        raise typer.BadParameter(
            f"{host!r} can be reached from other machines, which could then read and drive this server; "
            f"use {_LOOPBACK}:{port}, or say --allow-remote if that is meant",
            param_hint=option,
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to ``host``. Names other than localhost are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
