"""How one value of a settings file becomes a typed one: a parser per type, complaints as plain sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from ipaddress import ip_address
from urllib.parse import urlsplit

from codehunch.defects.kinds import KINDS
from codehunch.patterns import PathPatterns, invalid_pattern
from codehunch.syntax.languages import LANGUAGES

Complain = Callable[[str], None]
"""Called with what is wrong with the value; parsing goes on with what is left."""

Parser = Callable[[object, Complain, str], object]
"""``(value, complain, root)`` to the typed value, ``None`` where the setting has to fall back."""

ALL = "ALL"
CodePatterns = tuple[tuple[PathPatterns, tuple[str, ...]], ...]


def codes_of(selector: str) -> tuple[str, ...]:
    """Codes that a selector means: a code in any case, a kind's name, or ``ALL``.

    Raises ValueError with the nearest selector for anything else.
    """
    wanted = selector.strip()
    if wanted.upper() == ALL:
        return tuple(kind.code for kind in KINDS)
    for kind in KINDS:
        if wanted.upper() == kind.code or wanted.lower().replace("_", "-") == kind.name:
            return (kind.code,)
    known = [kind.code for kind in KINDS] + [kind.name for kind in KINDS]
    raise ValueError(f"{selector!r} is neither a rule code nor a kind{nearest(wanted, known)}")


def nearest(word: str, known: list[str]) -> str:
    """``; did you mean 'x'?`` for the closest known word, else nothing."""

    def likeness(name: str) -> tuple[float, int]:
        pair = (word.lower(), name.lower())
        return SequenceMatcher(None, *pair).ratio(), sum(a == b for a, b in zip(*pair, strict=False))

    best = max(known, key=likeness)
    return f"; did you mean {best!r}?" if likeness(best)[0] >= 0.6 else ""


def choice(*allowed: str) -> Parser:
    """One of a few words."""

    def parse(value: object, complain: Complain, root: str) -> object:
        if isinstance(value, str) and value.lower() in allowed:
            return value.lower()
        hint = nearest(value, list(allowed)) if isinstance(value, str) else ""
        complain(f"{show(value)} is not one of {', '.join(allowed)}{hint}")
        return None

    return parse


def boolean(value: object, complain: Complain, root: str) -> object:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    complain(f"{show(value)} is neither true nor false")
    return None


def at_least(least: float, whole: bool) -> Parser:
    """A number that is not below ``least``; ``whole`` for integers."""

    def parse(value: object, complain: Complain, root: str) -> object:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is not None and least <= number < float("inf") and (not whole or number == int(number)):
            return int(number) if whole else float(number)
        complain(f"{show(value)} is not a {'whole ' if whole else ''}number of at least {least:g}")
        return None

    return parse


def word(value: object, complain: Complain, root: str) -> object:
    """A text that is not empty."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    complain(f"{show(value)} is not a text")
    return None


def file_path(value: object, complain: Complain, root: str) -> object:
    """A path, made absolute from ``root``."""
    found = word(value, complain, root)
    return os.path.normpath(os.path.join(root, os.path.expanduser(found))) if isinstance(found, str) else None


def languages(value: object, complain: Complain, root: str) -> object:
    """A list of language names."""
    words = strings(value, complain)
    if words is None:
        return None
    return tuple(dict.fromkeys(name for each in words if (name := _language(each, complain)) is not None)) or None


def bundles_by_language(value: object, complain: Complain, root: str) -> object:
    """A table of language to the name or folder of a bundle."""
    if not isinstance(value, Mapping):
        complain(f"{show(value)} is not a table of languages, each with the name of a bundle")
        return None
    rows: dict[str, str] = {}
    for key, name in value.items():
        language = _language(str(key), complain)
        if language is not None and isinstance(name, str) and name.strip():
            rows[language] = name.strip()
        elif language is not None:
            complain(f"{key}: {show(name)} is not the name of a bundle")
    return tuple(sorted(rows.items()))


def levels_by_code(value: object, complain: Complain, root: str) -> object:
    """A table of rule codes, kinds or ``ALL`` to error, warning, information or hint; later rows outrank."""
    if not isinstance(value, Mapping):
        complain(f"{show(value)} is not a table of rule codes, each with a severity")
        return None
    rows: dict[str, str] = {}
    for selector, level in value.items():
        try:
            found = codes_of(str(selector))
        except ValueError as error:
            complain(str(error))
            continue
        parsed = choice("error", "warning", "information", "hint")(level, complain, root)
        if isinstance(parsed, str):
            rows.update(dict.fromkeys(found, parsed))
    return tuple(sorted(rows.items()))


def endpoint(value: object, complain: Complain, root: str) -> object:
    """The address of a model server: ``http`` or ``https``, a host, perhaps a port and a path, nothing more."""
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    good = parts.scheme in ("http", "https") and parts.hostname and text.isprintable() and " " not in text
    if not good or port == 0:
        complain(f"{show(value)} is no http or https address, such as http://localhost:8080")
        return None
    if parts.username is not None or parts.query or parts.fragment:
        complain("the address may hold no name, password, query or fragment; a token stands in the environment")
        return None
    return text


def is_this_machine(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def codes(value: object, complain: Complain, root: str) -> object:
    """A list of rule codes or kind names, as codes in the order of the table."""
    words = strings(value, complain)
    if words is None:
        return None
    found: set[str] = set()
    for word in words:
        try:
            found.update(codes_of(word))
        except ValueError as error:
            complain(str(error))
    if words and not found:
        return None
    return tuple(kind.code for kind in KINDS if kind.code in found)


def patterns(value: object, complain: Complain, root: str) -> object:
    """A list of path patterns about ``root``."""
    words = strings(value, complain)
    if words is None:
        return None
    return PathPatterns(tuple(word for word in words if _usable(word, complain)), root)


def codes_by_pattern(value: object, complain: Complain, root: str) -> object:
    """A table of path pattern to rule codes."""
    if not isinstance(value, Mapping):
        complain(f"{show(value)} is not a table of path patterns, each with its rule codes")
        return None
    rows: list[tuple[PathPatterns, tuple[str, ...]]] = []
    for pattern, selectors in value.items():
        complaints: list[str] = []
        found = codes(selectors, complaints.append, root)
        for text in complaints:
            complain(f"{pattern!r}: {text}")
        if isinstance(found, tuple) and found and _usable(str(pattern), complain):
            rows.append((PathPatterns((str(pattern),), root), found))
    return tuple(rows)


def strings(value: object, complain: Complain) -> list[str] | None:
    """A list of words; a single word stands for a list of one."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    complain(f"{show(value)} is not a list of strings")
    return None


def show(value: object) -> str:
    """A value as the complaint quotes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _language(name: str, complain: Complain) -> str | None:
    known = [spec.name for spec in LANGUAGES]
    if name.strip().lower() in known:
        return name.strip().lower()
    complain(f"{show(name)} is no language that is read here{nearest(name, known)}")
    return None


def _usable(pattern: str, complain: Complain) -> bool:
    problem = invalid_pattern(pattern)
    if problem:
        complain(f"{pattern!r} {problem}")
    return problem is None
