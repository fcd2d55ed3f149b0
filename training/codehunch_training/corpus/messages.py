"""What a commit message promises: a bug fix in code, or something else."""

from __future__ import annotations

import re


def _any_of(*lines: str) -> str:
    """One alternation of all words; a blank inside a word stands for a blank in the message."""
    words = [word for line in lines for word in line.split()]
    return "|".join(word.replace("_", " ") for word in words)


_ERRORS = (
    r"(?:type|value|key|name|index|attribute|unboundlocal|assertion|runtime|recursion|import|os|io|unicode\w*)error"
)
_PLAIN = _any_of(
    r"fix(?:e[sd]|ing|up)? bug(?:s|fix\w*|gy)? defect\w* mistake\w* incorrect(?:ly)? wrong(?:ly)? typo\w* crash\w*",
    r"regress\w* broken? fail(?:s|ed|ing|ure)? oops whoops forg[eo]t(?:ten)? correct(?:s|ed|ly|ing)? mis-?match\w*",
    r"off[-_]by[-_](?:one|1) inver(?:t|ted|se)\w* leak\w* deadlock\w* race_condition infinite_(?:loop|recursion)",
    r"exception\w* error\w* traceback should(?:n't|_not|_be|_have)? (?:does|did|is|was|were|are)(?:n't|_not)",
    r"missing missed prevent\w* avoid\w* resolve[sd]? repair\w* accident\w* instead_of undefined unexpected\w*",
    r"invalid properly bad",
    _ERRORS,
)
_FIX = re.compile(rf"\b(?:{_PLAIN})\b|#\d+\b", re.IGNORECASE)
_STRONG_WORDS = _any_of(
    r"fix(?:e[sd]|ing)? bug(?:s|fix\w*|gy)? incorrect(?:ly)? wrong(?:ly)? typo\w* crash\w* regress\w* broken?",
    r"mistake\w* oops whoops forg[eo]t(?:ten)? off[-_]by[-_](?:one|1) accident\w* infinite_(?:loop|recursion)",
    r"deadlock\w*",
    _ERRORS,
)
_STRONG = re.compile(rf"\b(?:{_STRONG_WORDS})\b", re.IGNORECASE)
_FIRST_WORDS = _any_of(
    r"revert merge bump release version back_out \[?pre-commit update_(?:changelog|version|depend) chore style",
    r"refactor docs? ci build tests? perf types? typing",
)
_OTHER_WORK = _any_of(
    r"reverts_commit lint\w* flake8\w* pylint pyflakes pycodestyle pep-?8 mypy pyright pytype type_(?:hint|check)\w*",
    r"type_annotation\w* annotations? typing docstrings? documentation docs? doc-?fix\w* readme spelling grammar",
    r"wording spell-?check codespell comments? re-?format\w* formatting whitespace indentation black isort",
    r"autopep8 ruff yapf",
    r"re-?nam(?:e|ed|es|ing) refactor\w* clean-?_?ups? cleaning cosmetic\w* style deprecat\w* six 2to3",
    r"python-?_?3\w* py3\w* py(?:thon)?_?2\.?\d? python-?_?2\.\d pypy\d? unicode\x5fliterals",
    r"log(?:ging|s)?_(?:message|text|level|format)\w*",
    r"(?:error|warning|log|exception|help|assertion|failure|user|output)_(?:message|msg|string|text)s?",
    r"modernize pyupgrade simplif\w+ translations? copyright licen[cs]e changelog news release_notes",
    r"backwards?[-_]compat\w* compat(?:ibility|ible)? (?:coding|code)_style code_review unused",
    r"(?:new|add(?:s|ed)?)_(?:feature|option|support)\w* optimi[sz]\w+ performance speed faster sphinx coverage",
    r"warnings? nits? (?:unit|doc|broken|failing)?_?tests? testing",
)
_NOT_A_FIX = re.compile(rf"^\s*(?:{_FIRST_WORDS})\b|\b(?:{_OTHER_WORK})\b", re.IGNORECASE)
_TRAILER = re.compile(
    r"(?im)^(?:signed-off-by|co-authored-by|reviewed-by|change-id|git-svn-id|closes?:|--hg--|extra).*$"
)


def promises_fix(message: str) -> bool:
    """Whether a commit message speaks of a bug being fixed and of nothing that only looks like one.

    The subject decides; the body may add the word for the fix, never the word against it.
    """
    message = _TRAILER.sub("", message).strip()
    subject, _, body = message.partition("\n")
    if not subject or _NOT_A_FIX.search(subject) or "This reverts commit" in body:
        return False
    return bool(_FIX.search(subject) or _STRONG.search(body[:600]))


def is_strong(message: str) -> bool:
    """Whether the subject itself names a fix, a bug or an error by its usual words."""
    subject = message.strip().partition("\n")[0]
    return bool(_STRONG.search(subject))
