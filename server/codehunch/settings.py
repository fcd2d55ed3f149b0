"""What a person can set, and where it is read: the nearest .codehunch.toml, else [tool.codehunch] in pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from codehunch import settings_values as values
from codehunch.patterns import PathPatterns

SETTINGS_FILE = ".codehunch.toml"
PYPROJECT = "pyproject.toml"
MEGABYTE = 1_000_000
HOSTS_VARIABLE = "CODEHUNCH_INFERENCE_HOSTS"
"""Hosts, separated by commas, that a settings file may name as ``inference.endpoint``."""
_CACHED_FOLDERS = 4096

Sensitivity = Literal["low", "medium", "high"]


def _about(parse: values.Parser, kind: str, help: str, key: str | None = None) -> dict[str, Any]:
    """``key`` is what the files call the setting, where that is not its name with dashes."""
    return {"parse": parse, "kind": kind, "help": help, "key": key}


@attrs.frozen
class Settings:
    """Everything a settings file may say. Each key is the attribute's name with dashes."""

    sensitivity: Sensitivity = attrs.field(
        default="medium",
        metadata=_about(
            values.choice("low", "medium", "high"),
            '`"low"`, `"medium"` or `"high"`',
            "How many warnings per 1,000 lines of clean code are acceptable; the model card names the numbers.",
        ),
    )
    select: tuple[str, ...] = attrs.field(
        default=(),
        metadata=_about(values.codes, "list of codes or kinds", "Report only these rules. Empty: all rules."),
    )
    ignore: tuple[str, ...] = attrs.field(
        default=(), metadata=_about(values.codes, "list of codes or kinds", "Never report these rules.")
    )
    per_file_ignores: values.CodePatterns = attrs.field(
        default=(),
        metadata=_about(
            values.codes_by_pattern,
            "table of pattern to codes",
            'Rules to leave out in the files a pattern matches, such as `"tests/" = ["CH107"]`.',
        ),
    )
    exclude: PathPatterns = attrs.field(
        default=PathPatterns(),
        metadata=_about(
            values.patterns,
            "list of patterns",
            "Files and folders that are not walked into, in the syntax of .gitignore, seen from the settings file.",
        ),
    )
    default_excludes: bool = attrs.field(
        default=True,
        metadata=_about(
            values.boolean,
            "boolean",
            "Leave out folders that hold no source of yours: `.git`, `.venv`, `node_modules`, `build` and the like.",
        ),
    )
    respect_gitignore: bool = attrs.field(
        default=True,
        metadata=_about(values.boolean, "boolean", "Leave out what `.gitignore` files and `.git/info/exclude` name."),
    )
    max_file_size: float = attrs.field(
        default=2.0,
        metadata=_about(
            values.at_least(0.001, whole=False),
            "number of megabytes",
            "Skip larger files: they are data or generated. 1 MB is 1,000,000 bytes.",
        ),
    )
    languages: tuple[str, ...] = attrs.field(
        default=(),
        metadata=_about(
            values.languages,
            "list of languages",
            'Check files in these languages only, such as `["python"]`. Empty: all that an installed model reads.',
        ),
    )
    baseline: str | None = attrs.field(
        default=None,
        metadata=_about(
            values.file_path,
            "path",
            "Leave out findings of this file, which `codehunch check --write-baseline` writes. "
            "Seen from the settings file.",
        ),
    )
    changed_since: str | None = attrs.field(
        default=None,
        metadata=_about(
            values.word,
            "git revision",
            'Report only findings in code that differs from this revision, such as `"HEAD"` or `"main"`.',
        ),
    )
    models: tuple[tuple[str, str], ...] = attrs.field(
        default=(),
        metadata=_about(
            values.bundles_by_language,
            "table of language to bundle",
            'Check a language with this bundle instead of the active one, such as `c = "my-c-model"`. '
            "Read from the folder of the run or of the workspace.",
        ),
    )
    generation_model: str | None = attrs.field(
        default=None,
        metadata=_about(
            values.word,
            "bundle",
            "Write bodies with this bundle instead of the active one. Read like `models`.",
        ),
    )
    threads: int | None = attrs.field(
        default=None,
        metadata=_about(
            values.at_least(1, whole=True),
            "whole number",
            "Threads a model may use. Unset: all but one of the cores.",
        ),
    )
    inference_endpoint: str | None = attrs.field(
        default=None,
        metadata=_about(
            values.endpoint,
            "URL",
            "Read functions on the model server that listens here and speaks the Open Inference Protocol; this machine "
            "steps in where it fails. From a settings file only with a host of this machine, or one that the "
            "environment variable `CODEHUNCH_INFERENCE_HOSTS` names. Read from the folder of the run.",
            key="inference.endpoint",
        ),
    )
    cache: bool = attrs.field(
        default=True,
        metadata=_about(
            values.boolean,
            "boolean",
            "Keep findings of functions on disk, so that the next run reads only what has changed. "
            "Read from the folder of the run.",
        ),
    )
    source: Path | None = None
    """The file these settings were read from; ``None`` for the defaults."""

    def codes_ignored_in(self, path: str | os.PathLike[str]) -> tuple[str, ...]:
        """Rules that are off in one file: ``ignore`` and what ``per-file-ignores`` adds."""
        absolute = os.path.abspath(path)
        extra = {code for rule, codes in self.per_file_ignores if rule.verdict(absolute) for code in codes}
        return (*self.ignore, *sorted(extra.difference(self.ignore)))

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_size * MEGABYTE)


DEFAULTS = Settings()


@attrs.frozen
class SettingsProblem:
    """Something in a settings file that was passed over."""

    source: str
    """The file, or another name of the place the value came from."""
    key: str
    """Empty where the file as a whole cannot be read."""
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {f'`{self.key}`: ' if self.key else ''}{self.message}"


def parse_settings(
    table: Mapping[str, object], source: str, root: str, base: Settings = DEFAULTS
) -> tuple[Settings, tuple[SettingsProblem, ...]]:
    """Settings of one table on top of ``base``; a wrong value keeps what ``base`` says.

    Keys may be written with dashes, underscores or in camelCase. Patterns speak about the folder ``root``.
    """
    problems: list[SettingsProblem] = []
    changes: dict[str, Any] = {}
    for key, value in flat(table).items():
        field = _FIELDS.get(_attribute(key))
        if field is None:
            hint = values.nearest(key, [_key(name) for name in _FIELDS])
            problems.append(SettingsProblem(source, key, f"there is no such setting{hint}"))
            continue
        complaints: list[str] = []
        parsed = field.metadata["parse"](value, complaints.append, root)
        if parsed is not None:
            changes[field.name] = parsed
        outcome = "the rest stands" if parsed is not None else f"using {_shown(getattr(base, field.name))}"
        problems += [SettingsProblem(source, _key(field.name), f"{text}; {outcome}") for text in complaints]
    return attrs.evolve(base, **changes), tuple(problems)


def read_settings_file(path: Path) -> tuple[Settings | None, tuple[SettingsProblem, ...]]:
    """Settings of a .codehunch.toml or a pyproject.toml; ``None`` for a pyproject.toml without our table.

    A file that is no TOML gives the defaults and one problem; so does one that cannot be read.
    """
    fallback = None if path.name == PYPROJECT else attrs.evolve(DEFAULTS, source=path)
    table: object
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        return fallback, (SettingsProblem(str(path), "", f"cannot be read ({error.strerror}); using the defaults"),)
    except ValueError as error:
        return fallback, (SettingsProblem(str(path), "", f"is not valid TOML ({error}); using the defaults"),)
    if path.name == PYPROJECT:
        tools = table.get("tool")
        table = tools.get("codehunch") if isinstance(tools, dict) else None
        if table is None:
            return None, ()
    if not isinstance(table, dict):
        return fallback, (SettingsProblem(str(path), "tool.codehunch", "is not a table; using the defaults"),)
    root = os.path.abspath(path.parent)
    settings, problems = parse_settings(table, str(path), root, attrs.evolve(DEFAULTS, source=path))
    host = urlsplit(settings.inference_endpoint or "").hostname
    if host is not None and not _may_be_asked(host):
        # Whoever wrote a project's files is not the person at the keyboard: code does not leave on their word.
        reason = f"{host} is not named in the environment variable {HOSTS_VARIABLE}; nothing is sent there"
        problems = (*problems, SettingsProblem(str(path), "inference.endpoint", reason))
        settings = attrs.evolve(settings, inference_endpoint=None)
    return settings, problems


class SettingsReader:
    """Settings for any file of a run, each settings file read once and each problem told once."""

    def __init__(
        self,
        overrides: Mapping[str, object] | None = None,
        warn: Callable[[SettingsProblem], None] | None = None,
    ) -> None:
        """``overrides`` are attribute values that outrank every file; ``warn`` hears of wrong values."""
        self._overrides = dict(overrides or {})
        self._warn = warn or (lambda problem: None)
        self._told: set[SettingsProblem] = set()
        self._files: dict[Path, Settings | None] = {}
        self._own = lru_cache(_CACHED_FOLDERS)(self._read)

    def for_folder(self, folder: str | os.PathLike[str]) -> Settings:
        """What holds for the files that lie in ``folder``."""
        absolute = os.path.abspath(folder)
        found = self._nearest(absolute, SETTINGS_FILE) or self._nearest(absolute, PYPROJECT)
        return found or self._merged(DEFAULTS)

    def for_file(self, path: str | os.PathLike[str]) -> Settings:
        """What holds for one file, which need not exist."""
        return self.for_folder(os.path.dirname(os.path.abspath(path)))

    def forget(self) -> None:
        """Read every settings file anew on next use, and tell of problems again."""
        self._own.cache_clear()
        self._files.clear()
        self._told.clear()

    def _nearest(self, folder: str, name: str) -> Settings | None:
        # A loop, not a recursion: folders may be nested deeper than the interpreter's stack.
        while True:
            settings = self._own(folder, name)
            parent = os.path.dirname(folder)
            if settings is not None or parent == folder:
                return settings
            folder = parent

    def _read(self, folder: str, name: str) -> Settings | None:
        path = Path(folder, name)
        if path not in self._files:
            if not path.is_file():
                return None
            settings, problems = read_settings_file(path)
            self._files[path] = settings and self._merged(settings)
            for problem in problems:
                if problem not in self._told:
                    self._told.add(problem)
                    self._warn(problem)
        return self._files[path]

    def _merged(self, settings: Settings) -> Settings:
        return override(settings, self._overrides)


def override(settings: Settings, overrides: Mapping[str, object]) -> Settings:
    """``settings`` with the given attributes replaced.

    A rule that the overrides select is not kept silent by an ``ignore`` they do not speak of.
    """
    changes: dict[str, Any] = dict(overrides)
    chosen = changes.get("select")
    if isinstance(chosen, tuple) and chosen and "ignore" not in changes:
        changes["ignore"] = tuple(code for code in settings.ignore if code not in chosen)
    return attrs.evolve(settings, **changes)


def load_settings(path: str | os.PathLike[str], warn: Callable[[SettingsProblem], None] | None = None) -> Settings:
    """Settings for one file or folder. Readers of many files share a SettingsReader instead."""
    reader = SettingsReader(warn=warn)
    return reader.for_folder(path) if os.path.isdir(path) else reader.for_file(path)


def settings_table() -> str:
    """The reference of all settings as a Markdown table, generated from the class."""
    rows = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in _FIELDS.items():
        meta = field.metadata
        default = "{}" if meta["kind"].startswith("table") else _shown(field.default)
        rows.append(f"| `{_key(name)}` | {meta['kind']} | `{default}` | {meta['help']} |")
    return "\n".join(rows) + "\n"


def setting_keys() -> tuple[str, ...]:
    """Every key a settings file may hold."""
    return tuple(_key(name) for name in _FIELDS)


def flat(table: Mapping[str, object]) -> dict[str, object]:
    """The table with the keys of its own tables, such as ``inference``, as ``inference.endpoint``."""
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and key in _TABLES:
            found.update({f"{key}.{inner}": each for inner, each in value.items()})
        else:
            found[key] = value
    return found


def _may_be_asked(host: str) -> bool:
    named = {name.strip().lower() for name in os.environ.get(HOSTS_VARIABLE, "").split(",")}
    return values.is_this_machine(host) or host.lower() in named


def _attribute(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_").replace(".", "_")


def _key(attribute: str) -> str:
    field = _FIELDS.get(attribute)
    return (field.metadata["key"] if field is not None else None) or attribute.replace("_", "-")


def _shown(value: object) -> str:
    """A value as TOML writes it, for messages and for the reference."""
    if isinstance(value, PathPatterns):
        value = value.patterns
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Iterable):
        items = [item[0] if isinstance(item, tuple) else item for item in value]
        return "[" + ", ".join(_shown(item) for item in items) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


_FIELDS: dict[str, attrs.Attribute[Any]] = {
    field.name: field for field in attrs.fields(Settings) if "parse" in field.metadata
}
_TABLES = {_key(name).partition(".")[0] for name in _FIELDS if "." in _key(name)}
