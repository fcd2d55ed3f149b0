"""Settings of a session: the settings files of the CLI, outranked by what the editor says.

The editor's table (``initializationOptions`` or the ``codehunch`` section) takes the keys of the settings files
and the ones below, which only an editor needs.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from codehunch import settings_values as values
from codehunch.settings import Settings, SettingsProblem, SettingsReader, flat, parse_settings

logger = logging.getLogger(__name__)

SOURCE = "editor settings"


def _about(parse: values.Parser, kind: str, help: str) -> dict[str, Any]:
    return {"parse": parse, "kind": kind, "help": help}


@attrs.frozen
class EditorSettings:
    """What only an editor sets. Each key is the attribute's name in camelCase."""

    diagnostics: bool = attrs.field(
        default=True, metadata=_about(values.boolean, "boolean", "Show findings while a person types.")
    )
    workspace_diagnostics: bool = attrs.field(
        default=False,
        metadata=_about(
            values.boolean,
            "boolean",
            "Read every file of the workspace in the background, in editors that ask for it. Read at start only.",
        ),
    )
    inlay_hints: bool = attrs.field(
        default=False,
        metadata=_about(values.boolean, "boolean", "Show the best fix behind a flagged place, in editors with hints."),
    )
    generation: bool = attrs.field(
        default=True, metadata=_about(values.boolean, "boolean", "Offer a body for a docstring or a comment.")
    )
    generation_trigger: str = attrs.field(
        default="automatic",
        metadata=_about(
            values.choice("automatic", "invoked"),
            '`"automatic"` or `"invoked"`',
            "Show ghost text after a pause, or only when it is asked for by key.",
        ),
    )
    generation_seconds: float = attrs.field(
        default=4.0,
        metadata=_about(
            values.at_least(0.1, whole=False), "number of seconds", "Give up on a body that takes longer than this."
        ),
    )
    workspace_index: bool = attrs.field(
        default=True,
        metadata=_about(
            values.boolean,
            "boolean",
            "Index the functions of the workspace in the background, so that a body can follow the most similar ones.",
        ),
    )
    severity: tuple[tuple[str, str], ...] = attrs.field(
        default=(),
        metadata=_about(
            values.levels_by_code,
            "table of code or kind to severity",
            'Show a rule as `"error"`, `"warning"`, `"information"` or `"hint"`, such as `{"ALL": "hint"}`. '
            "Without it, as a warning or information by confidence.",
        ),
    )
    record_feedback: bool = attrs.field(
        default=True,
        metadata=_about(
            values.boolean,
            "boolean",
            "Keep which fixes and bodies were accepted or rejected in a file on this machine, for `codehunch feedback` "
            "and retraining.",
        ),
    )
    idle_unload: float = attrs.field(
        default=600.0,
        metadata=_about(
            values.at_least(1.0, whole=False),
            "number of seconds",
            "Stop the worker process, and free the models' memory, after this long without work.",
        ),
    )
    memory_limit: float = attrs.field(
        default=1500.0,
        metadata=_about(
            values.at_least(100.0, whole=False),
            "number of megabytes",
            "Replace a worker process that holds more than this once it has nothing to do.",
        ),
    )


_SHARED_FIELDS = {field.name for field in attrs.fields(Settings)}
_EDITOR_FIELDS = {field.name: field for field in attrs.fields(EditorSettings)}


def editor_settings_table() -> str:
    """The reference of the editor's own settings as a Markdown table, generated from the class."""
    rows = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in _EDITOR_FIELDS.items():
        rows.append(
            f"| `{_camel(name)}` | {field.metadata['kind']} | `{_shown(field.default)}` | {field.metadata['help']} |"
        )
    return "\n".join(rows) + "\n"


def _shown(value: object) -> str:
    """A value as JSON writes it."""
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps({} if value == () else value)


class Configuration:
    """What holds for this session and for each of its files. ``warn`` hears of wrong values, each once."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._told: set[str] = set()
        self.editor = EditorSettings()
        self._overrides: dict[str, object] = {}
        self.reader = SettingsReader(warn=self._tell)
        """Settings for any file, on top of what the files say: what the editor says."""

    def update(self, table: object, root: Path | None = None) -> bool:
        """Take over the editor's table and tell whether that changed anything.

        Anything but a table means the defaults. Patterns speak about ``root``.
        """
        if not isinstance(table, Mapping):
            if table is not None:
                self._tell(SettingsProblem(SOURCE, "", "is not a table; using the defaults"))
            table = {}
        before = self.editor, self._overrides
        self.editor, shared = self._split(table)
        overrides: dict[str, object] = {}
        for key, value in flat(shared).items():
            # One by one: only what the editor says, and says rightly, may outrank a settings file.
            parsed, problems = parse_settings({key: value}, SOURCE, str(root or Path.cwd()))
            for problem in problems:
                self._tell(problem)
            name = _snake(key).replace(".", "_")
            if not problems and name in _SHARED_FIELDS:
                overrides[name] = getattr(parsed, name)
        if (self.editor, overrides) == before:
            return False
        self._overrides = overrides
        self.reader = SettingsReader(overrides, warn=self._tell)
        return True

    def forget_files(self) -> None:
        """A settings file has changed: read all of them anew."""
        self.reader.forget()

    async def for_path(self, path: Path | None) -> Settings:
        """What holds for one file. The file system may be slow, so a thread asks it."""
        reader = self.reader
        if path is None:
            return await asyncio.to_thread(reader.for_folder, Path.cwd())
        return await asyncio.to_thread(reader.for_file, path)

    def _split(self, table: Mapping[str, object]) -> tuple[EditorSettings, dict[str, object]]:
        changes: dict[str, Any] = {}
        shared: dict[str, object] = {}
        for key, value in table.items():
            field = _EDITOR_FIELDS.get(_snake(str(key)))
            if field is None:
                shared[str(key)] = value
            elif value is not None:
                complaints: list[str] = []
                parsed = field.metadata["parse"](value, complaints.append, "")
                if parsed is not None:
                    changes[field.name] = parsed
                for text in complaints:
                    self._tell(SettingsProblem(SOURCE, str(key), f"{text}; using {_shown(field.default)}"))
        return EditorSettings(**changes), {key: value for key, value in shared.items() if value is not None}

    def _tell(self, problem: SettingsProblem) -> None:
        text = str(problem)
        if text not in self._told:
            self._told.add(text)
            self._warn(text)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _snake(key: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key).replace("-", "_")
