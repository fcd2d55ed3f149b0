"""Other words for a description: synonyms, templates, another language mixed in, dropped and swapped words."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from codehunch_training.corpus.folder import CorpusError

_WORD = re.compile(r"[A-Za-z]+")


def _opening(pattern: str, *openings: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    return re.compile(rf"^{pattern} (?P<rest>.+)", re.DOTALL), tuple(f"{opening} {{rest}}" for opening in openings)


_OPENINGS = (
    _opening("Returns?", "Return", "Returns", "This function returns", "Get", "Compute and return"),
    _opening("Gets?", "Get", "Gets", "Return", "Fetch"),
    _opening("Creates?", "Create", "Creates", "Make", "Build"),
    _opening("Checks?(?= if | whether )", "Check", "Checks", "Tell", "Return"),
    _opening("Removes?", "Remove", "Delete", "Drop", "Take away"),
    _opening("Sets?", "Set", "Sets", "Change", "Store"),
    _opening("Converts?", "Convert", "Converts", "Turn", "Transform"),
)
_MIXED: Mapping[str, Mapping[str, str]] = {
    "es": {
        "return": "devuelve", "returns": "devuelve", "the": "el", "list": "lista", "file": "archivo", "value": "valor",
        "number": "número", "name": "nombre", "if": "si", "with": "con", "and": "y", "or": "o", "of": "de",
        "create": "crea", "get": "obtiene", "all": "todos", "new": "nuevo", "string": "cadena", "user": "usuario",
    },
    "de": {
        "return": "gibt zurück", "returns": "gibt zurück", "the": "die", "list": "Liste", "file": "Datei",
        "value": "Wert", "number": "Zahl", "name": "Name", "if": "wenn", "with": "mit", "and": "und", "or": "oder",
        "of": "von", "create": "erzeugt", "get": "holt", "all": "alle", "new": "neu", "string": "Zeichenkette",
    },
    "hi": {
        "return": "lautao", "returns": "lautata hai", "list": "soochi", "file": "file", "value": "maan",
        "number": "sankhya", "name": "naam", "if": "agar", "with": "ke saath", "and": "aur", "or": "ya", "of": "ka",
        "create": "banao", "get": "lao", "all": "sab", "new": "naya", "check": "jaancho", "remove": "hatao",
    },
}  # fmt: skip
"""A few everyday words; a fuller table is given as a file."""
_OWN_SYNONYMS = tuple(
    tuple(group.split())
    for group in """
    append attach;begin start commence;build construct assemble;calculate compute determine;change modify alter;
    check verify test;choose select pick;clean tidy;close shut;collect gather;combine merge join;compare contrast;
    contain include hold;convert transform translate;copy duplicate replicate;correct right proper;count tally;
    create make produce;current present;default standard;delete remove erase;describe explain;difference distance;
    display show present;drop discard;element item member;empty blank;end finish stop;entire whole complete;
    error mistake fault;examine inspect;execute run perform;expand extend;extract pull;fail break;fast quick rapid;
    fetch retrieve obtain;field slot;filter sift;final last;find locate discover;first initial;flag mark;
    folder directory;format layout;generate produce create;given specified provided;group cluster;handle process treat;
    identical same equal;ignore skip disregard;index position;initialize prepare;input argument;insert add place;
    invalid wrong bad;keep retain preserve;key identifier;largest biggest greatest;length size extent;limit bound cap;
    list sequence series;load read;match fit;message note;missing absent;multiple several many;name title;new fresh;
    number count amount;object thing;optional voluntary;output result;parse analyse interpret;part piece portion;
    path route;prevent avoid;print show;quantity amount;raise throw;random arbitrary;range interval;receive accept;
    remaining left;rename relabel;render draw;replace substitute;request query;reset restore;resolve settle;
    reverse invert;save store persist;search look;send transmit dispatch;separate split divide;shape form;
    single sole one;smallest least minimal;sort order arrange;source origin;specific particular;split divide;
    string text;target goal;temporary transient;total sum;unique distinct;update refresh;use employ apply;
    user person;valid correct;value content;wait pause;width breadth;wrap enclose;write record
    """.replace("\n", " ").split(";")
)
"""Small and ours: words of descriptions that mean nearly the same; the one in front is the commonest."""
_KEPT = frozenset(
    "none true false self int str list dict set tuple float bool bytes object class return returns".split()
)


def templated(text: str, rng: random.Random) -> str | None:
    """The description with another usual opening; ``None`` where it opens in no known way."""
    for pattern, openings in _OPENINGS:
        match = pattern.match(text)
        if match:
            others = [made for made in (opening.format(rest=match["rest"]) for opening in openings) if made != text]
            return rng.choice(others)
    return None


def mixed(text: str, rng: random.Random, table: Mapping[str, Mapping[str, str]] = _MIXED) -> str | None:
    """The description with about half of the known words in another language, as bilingual authors write."""
    words = table[rng.choice(sorted(table))]

    def other(match: re.Match[str]) -> str:
        translated = words.get(match[0].lower())
        if translated is None or rng.random() < 0.5:
            return match[0]
        return translated.capitalize() if match[0][0].isupper() else translated

    made = _WORD.sub(other, text)
    return made if made != text else None


def dictionary(path: Path) -> Mapping[str, Mapping[str, str]]:
    """A word table: lines of ``language<TAB>word<TAB>translation``. Raises CorpusError."""
    table: dict[str, dict[str, str]] = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                parts = line.split("\t")
                if len(parts) != 3:
                    raise CorpusError(f"{path}, line {number}: write language, word and translation, tabs between them")
                table.setdefault(parts[0], {})[parts[1].lower()] = parts[2]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read {path}: {error}") from error
    return table


def noisy(text: str, rng: random.Random) -> str | None:
    """One word dropped, doubled, or changing places with its neighbour (Wei and Zou 2019, "EDA")."""
    words = text.split(" ")
    if len(words) < 4:
        return None
    at = rng.randrange(len(words) - 1)
    way = rng.randrange(3)
    if way == 0:
        del words[at]
    elif way == 1:
        words[at], words[at + 1] = words[at + 1], words[at]
    else:
        words.insert(at, words[at])
    made = " ".join(words)
    return made if made != text else None


class Synonyms:
    """Synonyms from WordNet's own files (``index.*`` and ``data.*``, as packaged by every distribution), or, without
    a folder, from a small table of our own. Raises CorpusError for a folder that is no WordNet."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._own: dict[str, list[str]] = {}
        if folder is None:
            for group in _OWN_SYNONYMS:
                for word in group:
                    others = self._own.setdefault(word, [])
                    others.extend(other for other in group if other != word and other not in others)
        elif not (folder / "index.noun").is_file():
            raise CorpusError(
                f"{folder} is no WordNet database (it has no index.noun); install wordnet-base, or give its dict folder"
            )

    def of(self, word: str) -> list[str]:
        """One-word synonyms of a lower-case word; WordNet's in its commonest sense as verb or noun, in its order."""
        if self._folder is None:
            return self._own.get(word, [])
        for part in ("verb", "noun"):
            offset = self._index(self._folder, part).get(word)
            if offset is not None:
                names = [name for name in self._words(self._folder, part, offset) if name != word and name.isalpha()]
                if names:
                    return names
        return []

    @cache  # noqa: B019 (one object for a whole run)
    def _index(self, folder: Path, part: str) -> Mapping[str, int]:
        found: dict[str, int] = {}
        with (folder / f"index.{part}").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.startswith(" "):
                    fields = line.split()
                    # lemma pos synset_cnt p_cnt [symbols] sense_cnt tagsense_cnt offset...  (wndb(5WN))
                    found[fields[0]] = int(fields[6 + int(fields[3])])
        return found

    def _words(self, folder: Path, part: str, offset: int) -> list[str]:
        with (folder / f"data.{part}").open("rb") as data:
            data.seek(offset)
            fields = data.readline().decode("utf-8", "replace").split()
        count = int(fields[3], 16)
        return [fields[4 + 2 * number].split("(")[0].lower() for number in range(count)]

    def reworded(self, text: str, rng: random.Random) -> str | None:
        """The description with one or two words replaced by synonyms; ``None`` where no word has one."""
        places = [match for match in _WORD.finditer(text) if len(match[0]) > 3 and match[0].lower() not in _KEPT]
        rng.shuffle(places)
        edits: list[tuple[int, int, str]] = []
        for match in places:
            names = self.of(match[0].lower())
            if names:
                name = rng.choice(names[:3])
                edits.append((*match.span(), name.capitalize() if match[0][0].isupper() else name))
            if len(edits) == 2:
                break
        for start, end, name in sorted(edits, reverse=True):
            text = text[:start] + name + text[end:]
        return text if edits else None
