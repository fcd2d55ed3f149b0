"""What a commit message promises: a bug fix in code, or something else."""

from __future__ import annotations

import re

_FIX = re.compile(
    r"""\b(?: fix(?:e[sd]|ing|up)? | bug(?:s|fix\w*|gy)? | defect\w* | mistake\w* | incorrect(?:ly)? | wrong(?:ly)?
        | typo\w* | crash\w* | regress\w* | broke[n]? | fail(?:s|ed|ing|ure)? | oops | whoops | forg[eo]t(?:ten)?
        | correct(?:s|ed|ly|ing)? | mis-?match\w* | off[- ]by[- ](?:one|1) | inver(?:t|ted|se)\w* | leak\w* | deadlock\w*
        | race\ condition | infinite\ (?:loop|recursion) | exception\w* | error\w* | traceback | (?:type|value|key|name|index|attribute|unboundlocal)error
        | should(?:n't|\ not|\ be|\ have)? | (?:does|did|is|was|were|are)(?:n't|\ not) | missing | missed
        | prevent\w* | avoid\w* | resolve[sd]? | repair\w* | accident\w* | instead\ of | undefined | unexpected\w* | invalid | properly | bad )\b
        | \#\d+ \b""",
    re.VERBOSE | re.IGNORECASE,
)
_STRONG = re.compile(
    r"""\b(?: fix(?:e[sd]|ing)? | bug(?:s|fix\w*|gy)? | incorrect(?:ly)? | wrong(?:ly)? | typo\w* | crash\w* | regress\w*
        | broke[n]? | mistake\w* | oops | whoops | forg[eo]t(?:ten)? | off[- ]by[- ](?:one|1) | (?:type|value|key|name|index|attribute|unboundlocal)error
        | accident\w* | infinite\ (?:loop|recursion) | deadlock\w* )\b""",
    re.VERBOSE | re.IGNORECASE,
)
_NOT_A_FIX = re.compile(
    r"""^\s*(?: revert | merge | bump | release | version | back\ out | \[?pre-commit | update\ (?:changelog|version|depend) | chore | style | refactor
        | docs? | ci | build | tests? | perf | types? | typing )\b
        | \b(?: reverts\ commit | lint\w* | flake8\w* | pylint | pyflakes | pycodestyle | pep-?8 | mypy | pyright | pytype | type\ (?:hint|annotation|check)\w*
        | annotations? | typing | docstrings? | documentation | docs? | doc-?fix\w* | readme | spelling | grammar | wording | spell-?check | codespell | comments?
        | re-?format\w* | formatting | whitespace | indentation | black | isort | autopep8 | ruff | yapf | re-?nam(?:e|ed|es|ing) | refactor\w* | clean-?\ ?ups? | cleaning
        | cosmetic\w* | style | deprecat\w* | six | 2to3 | python-?\ ?3\w* | py3\w* | py(?:thon)?\ ?2\.?\d? | python-?\ ?2\.\d | pypy\d? | unicode_literals
        | log(?:ging|s)?\ (?:message|text|level|format)\w* | (?:error|warning|log|exception|help|assertion|failure|user|output)\ (?:message|msg|string|text)s?
        | modernize | pyupgrade | simplif\w+ | translations? | copyright | licen[cs]e | changelog | news | release\ notes
        | backwards?[- ]compat\w* | compat(?:ibility|ible)? | coding\ style | code\ style | code\ review | unused | (?:new|add(?:s|ed)?)\ (?:feature|option|support)\w*
        | optimi[sz]\w+ | performance | speed | faster | sphinx | coverage | warnings? | nits? )\b""",
    re.VERBOSE | re.IGNORECASE,
)
_TRAILER = re.compile(r"(?im)^(?:signed-off-by|co-authored-by|reviewed-by|change-id|git-svn-id|closes?:|--hg--|extra).*$")


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
