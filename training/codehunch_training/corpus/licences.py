"""Which licence a repository is under, from the text of its licence file, and which may train a model."""

from __future__ import annotations

import re

from codehunch_training.corpus.repositories import Repository, RepositoryUnreadable, read_blobs, tree_files

PERMISSIVE = frozenset(
    (
        "MIT",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "Apache-2.0",
        "ISC",
        "PSF-2.0",
        "Zlib",
        "Unlicense",
        "0BSD",
        "HPND",
        "MIT-0",
    )
)
"""The default allow-list. MPL, LGPL and GPL code is left out unless asked for by name."""
_LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|unlicense)([-._].*)?$", re.IGNORECASE)
_METADATA = ("pyproject.toml", "setup.cfg", "setup.py")
# Phrases in the order they are looked for: the longer licences quote the shorter ones.
_PHRASES: tuple[tuple[str, str], ...] = (
    ("gnu affero general public license version", "AGPL"),
    ("gnu lesser general public license version", "LGPL"),
    ("gnu lesser general public license as published", "LGPL"),
    ("gnu library general public license", "LGPL"),
    ("gnu general public license version", "GPL"),
    ("gnu general public license as published", "GPL"),
    ("mozilla public license", "MPL-2.0"),
    ("eclipse public license", "EPL"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("python software foundation license", "PSF-2.0"),
    ("this is free and unencumbered software", "Unlicense"),
    ("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee", "ISC"),
    ("permission to use, copy, modify, and distribute this software for any purpose with or without fee", "ISC"),
    ("permission to use, copy, modify, and distribute this software and its documentation for any purpose", "HPND"),
    ("permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    ("this software is provided 'as-is', without any express or implied warranty", "Zlib"),
)
_DECLARED = re.compile(r"""(?im)^\s*licen[cs]e\s*[=:]\s*[\[{(]?\s*(?:text\s*=\s*)?["']?([^"'\n,;\])}]{2,60})""")


def licence_of_text(text: str) -> str:
    """SPDX identifier of a licence text, or ``unknown``. A file that names two counts as the stricter one."""
    named = re.search(r"SPDX-License-Identifier:\s*([^\n]+)", text)
    if named:
        choices = [choice.strip(" ()") for choice in re.split(r"\bOR\b|\bAND\b", named.group(1))]
        allowed = [choice for choice in choices if choice in PERMISSIVE]
        if allowed and ("AND" not in named.group(1) or len(allowed) == len(choices)):
            return allowed[0]
    flat = " ".join(text.lower().split()).replace("license, version", "license version")
    flat = flat.replace('"as is"', "as-is").replace("“", '"')
    for phrase, name in _PHRASES:
        if phrase.replace("license, version", "license version") in flat:
            return name
    if "redistribution and use in source and binary forms" in flat:
        return "BSD-3-Clause" if "neither the name" in flat or "names of" in flat else "BSD-2-Clause"
    if re.search(r"\bmit licen[cs]e\b", flat):
        return "MIT"
    return "unknown"


def licence_of_declaration(text: str) -> str:
    """SPDX identifier from packaging metadata: an SPDX field, a classifier, or a usual way to write one."""
    lowered = text.lower()
    match = _DECLARED.search(text)
    written = (match.group(1) if match else "").lower() + " " + " ".join(re.findall(r"license :: ([^\n\"']+)", lowered))
    for mark, name in (
        ("affero", "AGPL"),
        ("lgpl", "LGPL"),
        ("lesser general", "LGPL"),
        ("gpl", "GPL"),
        ("general public", "GPL"),
        ("mozilla", "MPL-2.0"),
        ("mpl", "MPL-2.0"),
        ("apache", "Apache-2.0"),
        ("bsd-2", "BSD-2-Clause"),
        ("bsd", "BSD-3-Clause"),
        ("python software foundation", "PSF-2.0"),
        ("psf", "PSF-2.0"),
        ("isc", "ISC"),
        ("unlicense", "Unlicense"),
        ("zlib", "Zlib"),
        ("mit", "MIT"),
    ):
        if mark in written:
            return name
    return "unknown"


def licence_of_repository(repository: Repository) -> str:
    """The licence at the repository's head: licence files at the root first, then packaging metadata."""
    try:
        files = {path: name for mode, name, path in tree_files(repository) if "/" not in path and mode != "160000"}
    except RepositoryUnreadable:
        return "unknown"
    wanted = [path for path in sorted(files) if _LICENCE_FILE.match(path) or path in _METADATA]
    blobs = read_blobs(repository, [files[path] for path in wanted])
    texts = {p: b.decode("utf-8", "replace") for p, b in zip(wanted, blobs, strict=True) if isinstance(b, bytes)}
    found = [licence_of_text(text) for path, text in texts.items() if _LICENCE_FILE.match(path)]
    known = [name for name in found if name != "unknown"]
    if known:
        # A repository may offer a choice (MIT or Apache); one permissive file is permission enough.
        return next((name for name in known if name in PERMISSIVE), known[0])
    declared = [licence_of_declaration(texts[path]) for path in _METADATA if path in texts]
    return next((name for name in declared if name != "unknown"), "unknown")
