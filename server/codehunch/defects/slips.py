"""Names with a slip of the keyboard in them: a letter away from what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from string import ascii_letters, ascii_lowercase

from codehunch.defects.members import common_members
from codehunch.defects.spelling import LONGEST, Lexicon, misspelt
from codehunch.defects.surroundings import BUILTINS, Around, Standing
from codehunch.syntax.lexemes import Lexeme, LexemeKind

SHORTEST = 5
"""Letters of a word that can be told misspelt: most shorter ones are a letter away from another."""
KNOWN_FROM = 4
"""Letters of a word that can be one nobody uses."""
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NO_DIGITS = re.compile(r"\D+")


def parts_of(name: str) -> list[re.Match[str]]:
    """The words that a name is made of, ``maxSize`` and ``max_size`` of two; of ASCII letters only."""
    return list(_PARTS.finditer(name)) if name.isascii() and len(name) <= LONGEST else []


def is_slip(name: str, meant: str) -> bool:
    """Whether one letter, or two that changed places, make ``name`` of ``meant``: not the first, not a digit, and not
    the ``s`` of a plural."""
    return (
        min(len(name), len(meant)) >= SHORTEST
        and abs(len(name) - len(meant)) < 2
        and name[0] == meant[0]
        and name.rstrip("s") != meant.rstrip("s")
        and misspelt(name, meant, 1)
        and _NO_DIGITS.sub("", name) == _NO_DIGITS.sub("", meant)
    )


@lru_cache(8192)  # A file has the same names again and again.
def corrections(name: str) -> tuple[str, ...]:
    """The name with the word in it that no program uses as one that many do, the commonest first; empty where all of
    its words are in use."""
    known, common = _words()
    found: dict[str, int] = {}
    for part in parts_of(name):
        word = part[0].lower()
        if len(word) < SHORTEST or word in known:
            continue
        for meant in _slips_of(word, ascii_lowercase) & common.keys():
            if is_slip(word, meant):
                found[name[: part.start()] + _cased(meant, part[0]) + name[part.end() :]] = common[meant]
    return tuple(sorted(found, key=lambda each: found[each]))


@lru_cache(8192)
def _has_unknown_word(name: str) -> bool:
    known = _words()[0]
    return any(len(part[0]) >= KNOWN_FROM and part[0].lower() not in known for part in parts_of(name))


def _cased(word: str, like: str) -> str:
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word


def _slips_of(word: str, letters: str = ascii_letters + "_") -> set[str]:
    """All that one slip behind its first letter makes of a word (Norvig 2007, "How to write a spelling corrector"):
    few are looked up, so this costs less than an index of what could be a slip of each known word."""
    splits = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    return {
        *(a + b[1:] for a, b in splits if b),
        *(a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1),
        *(a + letter + b[1:] for a, b in splits if b for letter in letters),
        *(a + letter + b for a, b in splits for letter in letters),
    }


@cache
def _words() -> tuple[frozenset[str], dict[str, int]]:
    """Words that names are made of: all, and those of many programs, numbered. ``default_defects words`` collects
    them."""
    text = resources.files(__package__).joinpath("words.txt").read_text(encoding="utf-8")
    many, _, few = text.partition("\n\n")
    common = {word: number for number, word in enumerate(many.split())}
    return frozenset(common) | frozenset(few.split()), common


def told(lexemes: Sequence[Lexeme], standings: Sequence[Standing], around: Around) -> list[Standing]:
    """How each lexeme stands, as the model is told: where nothing else speaks for a name, whether it looks misspelt."""
    found = list(standings)
    here = {each.text for each in lexemes if each.kind in _SPELT}
    for at, (lexeme, standing) in enumerate(zip(lexemes, standings, strict=True)):
        string = lexeme.kind is LexemeKind.STRING
        slipped = Standing.MISSPELT_STRING if string else _SLIPPED.get(standing)
        name = lexeme.text
        if slipped is None or not SHORTEST <= len(name) <= LONGEST or not name.isidentifier():
            continue
        if not corrections(name):
            if slipped in _WEAK and not _has_unknown_word(name):
                continue
            near = _slips_of(name)
            alike = near & here | _of_the_file(lexemes, at, standing, around)
            if lexeme.kind is LexemeKind.ATTRIBUTE:
                alike |= near & common_members().keys()
            if not any(is_slip(name, each) for each in alike):
                continue
        found[at] = slipped
    return found


def _of_the_file(lexemes: Sequence[Lexeme], at: int, standing: Standing, around: Around) -> frozenset[str]:
    """What a name may be a slip of among those that its file has, or Python."""
    file, lexeme = around.surroundings, lexemes[at]
    if standing is Standing.FROM_STAR:
        return file.names_like({lexeme.text}) | _BUILTINS.alike(lexeme.text)
    if standing is not Standing.FOREIGN:
        return frozenset()
    owner = lexemes[at - 2].text
    class_name = around.class_name if owner in ("self", "cls") else owner
    return file.members_like(class_name, {lexeme.text}) if class_name is not None else frozenset()


_WEAK = (Standing.MISSPELT_RARE, Standing.MISSPELT_STRING)
"""Where a name made of words in use is as a rule no slip, however near it is to another one."""
_SPELT = (LexemeKind.NAME, LexemeKind.ATTRIBUTE, LexemeKind.KEYWORD_NAME, LexemeKind.STRING)
_BUILTINS = Lexicon(BUILTINS)
_SLIPPED = {
    Standing.RARE: Standing.MISSPELT_RARE,
    Standing.FROM_STAR: Standing.MISSPELT_FROM_STAR,
    Standing.FOREIGN: Standing.MISSPELT_FOREIGN,
    Standing.UNREAD: Standing.MISSPELT_UNREAD,
}
