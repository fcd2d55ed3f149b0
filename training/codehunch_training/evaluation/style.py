"""How a piece of code is written, apart from what it does: the traits a defect score should not follow."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from codehunch.syntax.languages import GrammarMissing
from codehunch.syntax.parsing import parse

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")
_LETTERS = re.compile(r"[^\W\d_]")

WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "English": "get set name value list count index item result data file line text number user size new add the "
        "is of to from with for next first last key node path start end total word length check return error time",
        "German": "wert namen anzahl liste ergebnis daten datei zeile zahl benutzer groesse neu der die das und ist "
        "nicht naechste erste letzte pfad ende gesamt wort laenge pruefe fehler zeit summe eingabe ausgabe",
        "Spanish": "valor nombre lista cuenta indice resultado datos archivo linea texto numero usuario nuevo el "
        "los siguiente primero ultimo clave nodo ruta inicio fin palabra longitud suma entrada salida contador",
        "French": "valeur nom liste compte indice resultat donnees fichier ligne texte nombre utilisateur taille "
        "nouveau le les suivant premier dernier cle noeud chemin debut fin mot longueur somme entree sortie",
        "Portuguese": "valor nome lista conta indice resultado dados arquivo linha texto numero usuario tamanho novo "
        "os proximo primeiro ultimo chave caminho inicio fim palavra soma entrada saida contador",
        "Italian": "valore nome lista conta indice risultato dati riga testo numero utente nuovo il gli "
        "prossimo primo ultimo chiave nodo percorso inizio fine parola lunghezza somma ingresso uscita",
        "Chinese (pinyin)": "mingzi shuju liebiao zhi shuliang jieguo wenjian hang wenben shuzi yonghu daxiao xin "
        "xiayige diyi zuihou jian lujing kaishi jieshu zongshu danci changdu zonghe shuru shuchu",
    }.items()
}
"""Words of names in programs. The lists are short, so only code with several such words is told."""
_SCRIPTS = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "CYRILLIC": "Cyrillic script",
    "HANGUL": "Korean",
    "GREEK": "Greek",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "DEVANAGARI": "Devanagari script",
}


def natural_language(text: str) -> str:
    """The natural language of a text's identifiers, comments and strings as far as it can be told: by the script of
    its letters, else by common words; ``other`` where nothing speaks clearly."""
    scripts = Counter(_SCRIPTS.get(unicodedata.name(c, "").partition(" ")[0], "") for c in text if ord(c) > 0x2AF)
    del scripts[""]
    letters = len(_LETTERS.findall(text))
    if scripts and scripts.total() * 20 >= letters:
        return scripts.most_common(1)[0][0]
    parts = {part.lower() for name in _IDENTIFIER.findall(text) for part in _PARTS.findall(name)}
    hits = sorted(((len(parts & words), language) for language, words in WORDS.items()), reverse=True)
    best, second = hits[0], hits[1]
    return best[1] if best[0] >= 2 and best[0] > second[0] else "other"


def traits(text: str) -> dict[str, float]:
    """Numbers that tell authors apart (after Caliskan-Islam et al. 2015, "De-anonymizing programmers via code
    stylometry": layout and lexical features): each can be read off without knowing what the code does."""
    lines = [line for line in text.split("\n") if line.strip()]
    names = [name for name in _IDENTIFIER.findall(text) if len(name) > 1]
    if not lines or not names:
        return {}
    indented = [line for line in lines if line[0] in " \t"]
    steps = [len(line) - len(line.lstrip(" ")) for line in indented if line[0] == " "]
    quotes = text.count('"') + text.count("'")
    return {
        "line length": sum(map(len, lines)) / len(lines),
        "name length": sum(map(len, names)) / len(names),
        "names in snake_case": sum("_" in name.strip("_") for name in names) / len(names),
        "names in camelCase": sum(bool(re.search(r"[a-z][A-Z]", name)) for name in names) / len(names),
        "one-letter names": 1 - len(names) / max(1, len(_IDENTIFIER.findall(text))),
        "indentation": min(steps) if steps else 0.0,
        "tabs": sum(line[0] == "\t" for line in indented) / len(indented) if indented else 0.0,
        "double quotes": text.count('"') / quotes if quotes else 0.5,
        "comments": sum(line.lstrip().startswith(("#", "//", "/*", "*")) for line in lines) / len(lines),
        "blank lines": 1 - len(lines) / max(1, len(text.rstrip("\n").split("\n"))),
        "spaces around operators": _spaced(text),
    }


def _spaced(text: str) -> float:
    close, apart = len(re.findall(r"\w[=+\-*/<>]\w", text)), len(re.findall(r"\w [=+\-*/<>]=? \w", text))
    return apart / (close + apart) if close + apart else 0.5


def complexity(text: str, language: str = "python") -> int:
    """Syntax nodes: what makes code harder, which a score may well follow. 0 without a grammar."""
    try:
        return parse(text, language).tree.root_node.descendant_count
    except (KeyError, GrammarMissing):
        return 0
