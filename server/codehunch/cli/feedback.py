"""``codehunch feedback``: see, copy and erase what was kept about findings, fixes and bodies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from codehunch.cli.console import CommandError, note, printable, shown, write_out

app = typer.Typer(
    name="feedback",
    help="Show, copy and erase what you dismissed, accepted and rejected. It stays on this machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines, source text included.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the events, the oldest first."""
    import attrs

    from codehunch.feedback import feedback_file, read_events

    count = 0
    for event in read_events():
        count += 1
        if as_json:
            write_out(json.dumps(attrs.asdict(event)) + "\n")
            continue
        place = shown(event.path) if event.path else "-"
        what = " ".join(filter(None, (event.code, event.function, f"`{event.token}`" if event.token else "")))
        write_out(f"{event.time}  {event.event:<20}  {event.fingerprint or '-':<16}  {printable(f'{place}: {what}')}\n")
    note(f"{count} events in {feedback_file()}")


@app.command()
def export(
    out: Annotated[str, typer.Argument(metavar="FILE", help="Where to write JSON lines; - for stdout.")],
) -> None:
    """Copy all events, source text included, into one file of JSON lines."""
    import attrs

    from codehunch.feedback import read_events, write_atomically

    lines = "".join(json.dumps(attrs.asdict(event)) + "\n" for event in read_events())
    if out == "-":
        write_out(lines)
    else:
        write_atomically(Path(out), lines.encode("ascii"), 0o600)
        note(f"{lines.count(chr(10))} events written to {out}")


@app.command()
def clear(
    fingerprint: Annotated[
        str | None, typer.Argument(help="Only the events of this finding, as `codehunch feedback list` names it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase all events, or those of one finding, which is then reported again."""
    from codehunch import feedback

    events = list(feedback.read_events())
    if fingerprint is not None and not any(event.fingerprint == fingerprint for event in events):
        raise CommandError(f"no event has the fingerprint {fingerprint!r}; see `codehunch feedback list`")
    if fingerprint is None and events and not yes:
        if not sys.stdin.isatty():
            raise CommandError(f"this erases {len(events)} events for good; say --yes to do it")
        typer.confirm(f"Erase {len(events)} events for good?", abort=True, err=True)
    keep = None if fingerprint is None else lambda event: event.fingerprint != fingerprint
    note(f"{feedback.clear(keep=keep)} events erased")
