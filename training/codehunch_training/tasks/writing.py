"""Scores of written texts that every evaluation of a training run needs; what more there is lies in ``evaluation/``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence


def has_sacrebleu() -> bool:
    """A bare GPU machine may lack it: BLEU is then left out, and exact match selects."""
    return importlib.util.find_spec("sacrebleu") is not None


def corpus_scores(answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """BLEU of the corpus (sacrebleu, 0 to 100) and the share of exact matches, white space at the ends aside."""
    found = {"bleu": 0.0} if has_sacrebleu() else {}
    if not references:
        return found | {"exact_match": 0.0}
    if found:
        from sacrebleu.metrics.bleu import BLEU

        found["bleu"] = float(BLEU(tokenize="13a", force=True).corpus_score(list(answers), [list(references)]).score)
    same = sum(answer.strip() == reference.strip() for answer, reference in zip(answers, references, strict=True))
    return found | {"exact_match": same / len(references)}
