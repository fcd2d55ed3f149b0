"""Secrets and e-mail addresses masked, length for length, so that every offset stays right.

Secrets are found by Yelp's detect-secrets. It reads line by line and slowly, so only lines that could hold one
(a long run of key characters, or a word such as ``password`` beside a string) are given to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import attrs

from codehunch_training.corpus.rows import R

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![\w-])")
_HARMLESS_EMAIL = re.compile(r"@(?:example\.(?:com|org|net)|localhost|test\.com)$", re.IGNORECASE)
_SUSPICIOUS = re.compile(
    r"[A-Za-z0-9+/=_-]{20,}|(?:passw|secret|token|api_?key|credential|private)\w*['\"]?\s*[=:]\s*['\"]"
    r"|BEGIN [A-Z ]*PRIVATE|://[^/\s:@]+:[^/\s:@]+@",
    re.IGNORECASE,
)
# Not KeywordDetector: words such as `password` beside any string would take half of all test data with them.
_PLUGINS = (
    "AWSKeyDetector",
    "ArtifactoryDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
    "DiscordBotTokenDetector",
)
_ENTROPY = (("Base64HighEntropyString", 4.5), ("HexHighEntropyString", 3.0))


@cache
def _plugins() -> tuple[Any, ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes = {cls.__name__: cls for cls in get_mapping_from_secret_type_to_class().values()}
    named = [classes[name]() for name in _PLUGINS if name in classes]
    return (*named, *(classes[name](limit=limit) for name, limit in _ENTROPY))


def secrets_in(text: str) -> set[str]:
    """Values in a text that look like keys, tokens, passwords in URLs, or private keys."""
    found: set[str] = set()
    for line in text.split("\n"):
        if _SUSPICIOUS.search(line):
            for plugin in _plugins():
                found.update(str(s.secret_value) for s in plugin.analyze_line(filename="", line=line) if s.secret_value)
    return {value for value in found if len(value) >= 8 and value in text}


def emails_in(text: str) -> set[str]:
    return {match for match in _EMAIL.findall(text) if not _HARMLESS_EMAIL.search(match)} if "@" in text else set()


def mask(text: str, values: Iterable[str]) -> str:
    """Every value with its letters and digits replaced by ``x``; the length stays."""
    for value in sorted(values, key=lambda v: (-len(v), v)):
        text = text.replace(value, re.sub(r"[^\W_]", "x", value))
    return text


def scrubbed(rows: list[R]) -> tuple[list[R], int]:
    """Rows that belong together with all their texts masked alike, and how many values were masked."""
    fields = ("text", "docstring", "target", "signature", "imports", "siblings", "edits")
    texts = [
        str(value) for row in rows for name in fields if isinstance(value := getattr(row, name, ""), str) and value
    ]
    values = {value for text in texts for value in secrets_in(text) | emails_in(text)}
    if not values:
        return rows, 0
    return [attrs.evolve(row, **_masked(row, fields, values)) for row in rows], len(values)


def _masked(row: Any, fields: tuple[str, ...], values: set[str]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name in fields:
        value = getattr(row, name, None)
        if isinstance(value, str):
            changed[name] = mask(value, values)
        elif name == "edits" and value:
            changed[name] = tuple((start, end, mask(content, values)) for start, end, content in value)
        elif value:
            changed[name] = tuple(mask(item, values) for item in value)
    return changed
