"""Writes the server's settings into package.json and src/generated.ts, from the tables the server itself reads.

With --check nothing is written, and the exit code is 1 if the files are not what would be written.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import attrs

from codehunch.lsp.configuration import EditorSettings
from codehunch.settings import Settings

HERE = Path(__file__).resolve().parents[1]
PACKAGE = HERE / "package.json"
GENERATED = HERE / "src" / "generated.ts"

# These say which files a walk through folders reads; an editor names its files itself, and a scan of the workspace
# takes them from the settings file.
OF_A_WALK = {"default_excludes", "respect_gitignore", "max_file_size", "languages"}
# One worker process per window or folder: what concerns it as a whole is not a matter of single files.
OF_THE_WINDOW = {
    "models",
    "generation_model",
    "workspace_index",
    "record_feedback",
    "threads",
    "generation_seconds",
    "idle_unload",
    "memory_limit",
}

# What names a file, a program, a model or a machine; without trust, the workspace's values of these do not count.
OF_TRUST = {"path", "URL", "bundle", "table of language to bundle"}

SHAPES: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "whole number": {"type": ["integer", "null"], "minimum": 1},
    "list of codes or kinds": {"type": "array", "items": {"type": "string"}},
    "list of patterns": {"type": "array", "items": {"type": "string"}},
    "path": {"type": ["string", "null"]},
    "URL": {"type": ["string", "null"]},
    "git revision": {"type": ["string", "null"]},
    "bundle": {"type": ["string", "null"]},
    "table of language to bundle": {"type": "object", "additionalProperties": {"type": "string"}},
    "table of code or kind to severity": {
        "type": "object",
        "additionalProperties": {"type": "string", "enum": ["error", "warning", "information", "hint"]},
    },
    "table of pattern to codes": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
}


def server_settings() -> dict[str, dict[str, Any]]:
    """The properties by their camelCase names without prefix."""
    return {_name(field): _property(field) for field in _fields()}


def restricted() -> list[str]:
    """The names of the properties that need trust."""
    return [_name(field) for field in _fields() if field.metadata["kind"] in OF_TRUST]


def _fields() -> list[attrs.Attribute[Any]]:
    fields = [*attrs.fields(Settings), *attrs.fields(EditorSettings)]
    return [field for field in fields if "parse" in field.metadata and field.name not in OF_A_WALK]


def _name(field: attrs.Attribute[Any]) -> str:
    return field.metadata.get("key") or re.sub(r"_(\w)", lambda match: match[1].upper(), field.name)


def _scope(field: attrs.Attribute[Any]) -> str:
    if field.metadata["kind"] == "URL":
        return "machine"  # Code leaves for it: no workspace says where to.
    return "window" if field.name in OF_THE_WINDOW else "resource"


def _property(field: attrs.Attribute[Any]) -> dict[str, Any]:
    kind = field.metadata["kind"]
    default = field.default
    if kind.startswith("table"):
        default = {}
    elif kind.startswith("list"):
        default = []
    return {
        **_shape(kind),
        "default": default,
        "scope": _scope(field),
        "markdownDescription": field.metadata["help"],
    }


def _shape(kind: str) -> dict[str, Any]:
    words = re.findall(r'`"(\w+)"`', kind)
    if words:
        return {"type": "string", "enum": words}
    return {"type": "number", "exclusiveMinimum": 0} if kind.startswith("number of") else SHAPES[kind]


def main() -> int:
    package = json.loads(PACKAGE.read_text(encoding="utf-8"))
    own, server = package["contributes"]["configuration"]
    assert all(name.startswith("codehunch.") for name in own["properties"])
    table = server_settings()
    server["properties"] = {f"codehunch.{name}": value for name, value in table.items()}
    limited = package["capabilities"]["untrustedWorkspaces"]
    own_restricted = [name for name in limited["restrictedConfigurations"] if name in own["properties"]]
    limited["restrictedConfigurations"] = own_restricted + [f"codehunch.{name}" for name in restricted()]
    names = ", ".join(f'"{name}"' for name in table)
    written = {
        PACKAGE: json.dumps(package, indent=2, ensure_ascii=False) + "\n",
        GENERATED: "/** Written by scripts/settings.py: the settings that are the server's. */\n"
        f"export const SERVER_SETTINGS: readonly string[] = [{names}];\n",
    }
    if "--check" in sys.argv:
        stale = [path.name for path, text in written.items() if not path.exists() or path.read_text("utf-8") != text]
        if stale:
            print(f"out of date: {', '.join(stale)}; run python client-vscode/scripts/settings.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
