"""Writing a text from a text: repair, translation between languages, docstrings, by any pair of columns.

A native encoder-decoder (T5, CodeT5, BART, PLBART) is trained as it is; an encoder (CodeBERT) gets a new decoder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.losses import single_label
from codehunch_training.models.encoder_decoder import special_ids, warm_started
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.specification import IGNORED, Batch, Features, Loss, Task, batches_of
from codehunch_training.tasks.windows import encode_text
from codehunch_training.tasks.writing import corpus_scores, has_sacrebleu

TARGET_COLUMNS = ("target", "fixed", "docstring")
EDITS = "edits"
"""As a target column of a mined corpus: the text after its edits, which is the fixed twin."""


class Seq2Seq(Task):
    """``codehunch train generation``. Greedy or beam-searched answers are scored each time the model is measured."""

    name = "generation"
    families = ("seq2seq", "encoder")
    selection_metric = "bleu"

    text_name: str
    target_name: str
    starts: bool = False
    """Whether the tokenizer begins a text with the token the decoder is started with: it is then no label."""

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        source, target = text_column(rows, recipe.data), target_column(rows, recipe)
        return [str(row[source]) for row in rows] + [text for row in rows if (text := target_text(row, target))]

    def check_base(self, base: Base) -> None:
        super().check_base(base)
        wanted = self.recipe.generation.decoder
        if wanted == "native" and base.family == "encoder":
            raise BaseError(
                f"{base.spec} is an encoder ({base.kind}) and has no decoder of its own; use generation.decoder = new "
                "to give it one, or an encoder-decoder such as Salesforce/codet5-small or new:t5"
            )
        if wanted == "new" and base.family == "seq2seq":
            raise BaseError(
                f"{base.spec} is an encoder-decoder ({base.kind}) and has a decoder; use generation.decoder = native"
            )

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.text_name, self.target_name = text_column(train, recipe.data), target_column(train, recipe)
        if not any(target_text(row, self.target_name) for row in train):
            raise DataError(f"no training row has anything to write in the column {self.target_name!r}")
        self._begin(base.family == "encoder")
        if not has_sacrebleu():
            if recipe.generation.risk_weight:
                raise DataError("minimum-risk training scores answers with sacrebleu: pip install sacrebleu")
            self.selection_metric = "exact_match"

    def _begin(self, warm: bool) -> None:
        ids = self.tokenizer("x", verbose=False)["input_ids"]
        self.warm = warm
        self.starts = warm and bool(ids) and ids[0] == special_ids(self.tokenizer)[0]

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        if base.family == "encoder":
            model = warm_started(base, recipe)
        else:
            model = base.model(AutoModelForSeq2SeqLM)
            if model.config.decoder_start_token_id is None:
                raise BaseError(f"{base.spec}: config.json names no decoder_start_token_id; set it there")
        model.generation_config.max_new_tokens = recipe.generation.max_target
        # What a checkpoint prefers when it summarises (BART: beams, no repeated three-grams) is no way to write code.
        for name in ("num_beams", "no_repeat_ngram_size", "min_length", "length_penalty", "early_stopping"):
            setattr(model.generation_config, name, getattr(type(model.generation_config)(), name))
        return model

    def encode(self, row: Row, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Features | None:
        target = target_text(row, self.target_name)
        if not target:
            return None
        return self.pair(str(row.get(self.text_name) or ""), target)

    def pair(self, source: str, target: str) -> Features | None:
        """Ids of a source and the labels of its target."""
        window = self.source(source)
        if window is None:
            return None
        labels = self.tokenizer(
            text_target=target, truncation=True, max_length=self.recipe.generation.max_target, verbose=False
        )["input_ids"]
        if self.starts:
            labels = labels[1:]
        return {"input_ids": window["input_ids"], "labels": list(labels)}

    def source(self, text: str) -> Features | None:
        windows = encode_text(self.tokenizer, self.recipe.generation.prefix + text, None, self.max_length, self.recipe)
        return {"input_ids": windows[0]["input_ids"]} if windows else None

    def length(self, features: Features) -> int:
        return len(features["input_ids"]) + len(features.get("labels", ()))

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        weight = self.recipe.generation.risk_weight if model.training else 0.0
        parts: dict[str, Tensor] = {}
        chosen = None
        if weight < 1:
            logits, labels = forced(model, batch)
            chosen = logits[labels != IGNORED]
            found = single_label(chosen, labels[labels != IGNORED], totals["items"], self.recipe)
            parts["cross_entropy" if weight else "loss"] = found * (1 - weight)
        if weight:
            parts["risk"] = self._risk(model, batch) * (weight * self.counts(batch)["items"] / max(totals["items"], 1))
        return Loss(parts, chosen)

    def _risk(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        from codehunch_training.techniques.minimum_risk import minimum_risk

        table = self.recipe.generation
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        labels = batch["labels"]
        references = [self.decode([token for token in row if token != IGNORED]) for row in labels.tolist()]
        found = minimum_risk(
            model,
            inputs,
            references,
            self.decode,
            gold=labels if table.risk_reference else None,
            candidates=table.risk_candidates,
            alpha=table.risk_alpha,
            max_new_tokens=table.max_target,
        )
        return found.loss

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """BLEU and exact match of what the model writes, and the loss per target token in nats."""
        model.eval()
        pairs = [(row, self.encode(row, self.tokenizer, self.recipe)) for row in rows]
        kept = [(row, features) for row, features in pairs if features is not None]
        if not kept:
            raise DataError("no row to measure on has both a source and a target")
        found = {"loss": self.mean_loss(model, [features for _, features in kept])}
        most = self.recipe.generation.evaluation_rows
        kept = kept[:most] if most else kept
        answers = self.write(model, [features for _, features in kept], self.recipe.generation.beams)
        references = [target_text(row, self.target_name) for row, _ in kept]
        return found | corpus_scores([answer[0] for answer in answers], references)

    def mean_loss(self, model: PreTrainedModel, features: Sequence[Features]) -> float:
        """Cross-entropy per target token in nats, without label smoothing."""
        total, count = 0.0, 0
        with torch.no_grad():
            for group in batches_of(self, features, self.recipe.batch.evaluation_tokens):
                batch = _moved(self.collate([features[at] for at in group]), model)
                logits, labels = forced(model, batch)
                real = labels != IGNORED
                total += float(torch.nn.functional.cross_entropy(logits[real].float(), labels[real], reduction="sum"))
                count += int(real.sum())
        return total / max(count, 1)

    def write(
        self, model: PreTrainedModel, features: Sequence[Features], beams: int, answers: int = 1
    ) -> list[list[str]]:
        """The ``answers`` likeliest texts for each source, best first, by beam search or greedily."""
        found: list[list[str]] = [[] for _ in features]
        room = max(1, self.recipe.batch.evaluation_tokens // beams)
        model.eval()
        for group in batches_of(self, features, room):
            batch = _moved(self.collate([{"input_ids": features[at]["input_ids"]} for at in group]), model)
            with torch.no_grad():
                produced = model.generate(
                    **batch,
                    num_beams=beams,
                    do_sample=False,
                    num_return_sequences=answers,
                    max_new_tokens=self.recipe.generation.max_target,
                )
            texts = [self.decode(ids) for ids in produced.tolist()]
            for place, at in enumerate(group):
                found[at] = texts[place * answers : (place + 1) * answers]
        return found

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """The better by BLEU of two answers that need no model: the source itself, and the commonest target."""
        known = Counter(text for row in train if (text := target_text(row, self.target_name)))
        kept = [row for row in rows if target_text(row, self.target_name)]
        references = [target_text(row, self.target_name) for row in kept]
        common = known.most_common(1)[0][0]
        copied = corpus_scores([str(row.get(self.text_name) or "") for row in kept], references)
        return max(
            copied, corpus_scores([common] * len(kept), references), key=lambda each: each[self.selection_metric]
        )

    def describe(self) -> dict[str, Any]:
        table = self.recipe.generation
        return super().describe() | {
            "heads": ["writer"],
            "decoder": "new" if self.warm else "native",
            "max_target": table.max_target,
            "prefix": table.prefix,
            "beams": table.beams,
            "columns": {"text": self.text_name, "target": self.target_name},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.text_name, self.target_name = description["columns"]["text"], description["columns"]["target"]
        self._begin(description["decoder"] == "new")

    def load_model(self, folder: Path) -> PreTrainedModel:
        return AutoModelForSeq2SeqLM.from_pretrained(folder, trust_remote_code=False)


def target_column(rows: Sequence[Row], recipe: Recipe) -> str:
    """The column of what is to be written. Raises DataError naming the columns there are."""
    if not rows:
        raise DataError("there are no rows")
    named = recipe.data.target
    for name in [named] if named else TARGET_COLUMNS:
        if any(row.get(name) for row in rows):
            return name
    columns = ", ".join(map(repr, rows[0]))
    wanted = repr(named) if named else " or ".join(map(repr, TARGET_COLUMNS))
    raise DataError(
        f"no row has anything in a column {wanted}; there are {columns}: set data.target to the column to write"
    )


def target_text(row: Row, column: str) -> str:
    """What is to be written for a row; empty where there is nothing."""
    value = row.get(column)
    if column == EDITS and isinstance(value, list | tuple):
        text = str(row.get("text") or "")
        for start, end, content in sorted(value, reverse=True):
            text = text[: int(start)] + str(content) + text[int(end) :]
        return text if value else ""
    return str(value) if value else ""


def forced(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Teacher-forced logits [batch, tokens, vocabulary] and their labels.

    The shift is the model's own (PLBART begins with its language code); the loss is computed here, so that smoothing
    and the mean over an accumulated step are the same for every model.
    """
    labels = batch["labels"]
    shifted = (model.module if hasattr(model, "module") else model).prepare_decoder_input_ids_from_labels(labels)
    logits = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], decoder_input_ids=shifted, use_cache=False
    ).logits
    return logits, labels


def _moved(batch: Batch, model: PreTrainedModel) -> Batch:
    return {name: value.to(model.device) for name, value in batch.items()}
