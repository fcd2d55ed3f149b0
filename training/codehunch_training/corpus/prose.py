"""What people write beside code: cleaned, its doctests cut, its language told apart, its noise recognised."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENGLISH = frozenset(
    """a an the this that these those is are was be been it its of in on at to for from by with and or not no if when
    whether else then as into only all any each every given which will would should must can may return returns
    returned get gets set sets use used using create creates make makes find check list new value values number
    string object name file""".split()
)
_NOISE = re.compile(
    r"\b(?:todo|fixme|xxx|hack|noqa|pylint|flake8|mypy|pragma|isort|nosec|copyright|licen[cs]e|type:|fmt:|coding[:=])"
    r"|^[-=#*~_\s]+$|^!|^\W*$",
    re.IGNORECASE,
)
_CODE_SIGNS = re.compile(r"[=(){}\[\];]|\b(?:def|return|import|self|elif|lambda)\b")


def words_in(text: str) -> list[str]:
    return _WORD.findall(text)


def is_english(text: str) -> bool:
    """Whether a text reads as English: mostly ASCII letters, and common words unless it is very short."""
    words = words_in(text)
    if not words:
        return False
    ascii_words = [word for word in words if word.isascii()]
    if len(ascii_words) < 0.9 * len(words):
        return False
    common = sum(word.lower() in _ENGLISH for word in words)
    return len(words) < 5 or common >= max(1, len(words) // 20)


def is_noise(comment: str) -> bool:
    """Markers, rulers and directives: nothing that describes code."""
    return bool(_NOISE.search(comment))


def is_code(comment: str) -> bool:
    """Whether a comment is rather code that somebody commented out."""
    words = words_in(comment)
    return len(_CODE_SIGNS.findall(comment)) > max(1, len(words) // 4)


def without_doctests(text: str) -> str:
    """A docstring without its ``>>>`` examples and their output (doctest ends an example at a blank line)."""
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        if line.lstrip().startswith(">>>"):
            inside = True
        elif not line.strip():
            inside = False
        if not inside:
            kept.append(line)
    lines = "\n".join(kept).rstrip().split("\n")
    while lines and re.fullmatch(
        r"\s*(?:examples?:?:?|-+|\.\. (?:doctest|code-block):: ?\w*|usage:?:?)?\s*", lines[-1], re.I
    ):
        lines.pop()
    return "\n".join(lines).strip()


def code_of_doctest(text: str) -> str:
    """The statements of ``>>>`` lines, prompts and outputs taken away; other text as it is."""
    if ">>>" not in text:
        return text
    lines = [line.lstrip() for line in text.split("\n")]
    code = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
    return "\n".join(code)
