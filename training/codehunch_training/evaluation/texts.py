"""Metrics of written code against its references."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence

from codehunch.syntax.languages import GrammarMissing
from codehunch.syntax.parsing import parse
from codehunch_training.evaluation.codebleu import code_bleu
from codehunch_training.evaluation.generation import edit_similarity

_TOKEN = re.compile(r"\w+|[^\w\s]")


def code_pieces(text: str) -> str:
    """Words and signs apart, white space aside: what BLEU on code counts n-grams of."""
    return " ".join(_TOKEN.findall(text))


def bleu(answers: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU on code tokens, 0 to 100, by sacrebleu (Post 2018). Raises ImportError where that is missing."""
    import sacrebleu

    return float(
        sacrebleu.corpus_bleu(
            [code_pieces(each) for each in answers],
            [[code_pieces(each) for each in references]],
            tokenize="none",
            force=True,
        ).score
    )


def is_valid(text: str, language: str = "python") -> bool:
    """Whether a text is a whole program, function, statement list or body in its language. Empty text is not.

    Python is asked of its own compiler, dedented and as a function's body too, since answers are often bodies; other
    languages of their grammar. Raises KeyError for a language without a grammar.
    """
    if not text.strip():
        return False
    if language == "python":
        return any(_compiles(candidate) for candidate in (text, _body(text)))
    return not parse(text, language).tree.root_node.has_error


def _compiles(source: str) -> bool:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<answer>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def _body(text: str) -> str:
    lines = text.split("\n")
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "def _():\n" + "\n".join("    " + line[indent:] if line.strip() else "" for line in lines)


def text_metrics(answers: Sequence[str], references: Sequence[str], language: str = "python") -> dict[str, float]:
    """Exact match (white space at the ends aside), BLEU, CodeBLEU with its parts, edit similarity, syntax validity.

    All 0 to 1 but BLEU (0 to 100). A metric whose library or grammar is missing is left out.
    """
    if not references:
        return {}
    count = len(references)
    pairs = list(zip(answers, references, strict=True))
    found = {
        "exact_match": sum(a.strip() == b.strip() for a, b in pairs) / count,
        "edit_similarity": sum(edit_similarity(a, b) for a, b in pairs) / count,
    }
    with contextlib.suppress(ImportError):
        found["bleu"] = bleu(answers, references)
    try:
        parts = code_bleu(answers, references, language)
        found |= {
            "codebleu": parts.score,
            "codebleu_ngrams": parts.ngrams,
            "codebleu_weighted": parts.weighted,
            "codebleu_syntax": parts.syntax,
            "codebleu_flow": parts.flow,
        }
        found["syntax_valid"] = sum(is_valid(answer, language) for answer in answers) / count
    except (KeyError, GrammarMissing):
        pass
    return {name: value for name, value in found.items() if not math.isnan(value)}
