"""Causal language modelling: going on with code, or answering a prompt where rows have a target.

With a target column only the target's tokens carry a loss: the prompt is what the answer is conditioned on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.losses import single_label
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.seq2seq import target_text
from codehunch_training.tasks.specification import IGNORED, Batch, Features, Loss, Task, batches_of, padded
from codehunch_training.tasks.windows import encode_text
from codehunch_training.tasks.writing import corpus_scores


class Causal(Task):
    """``codehunch train causal``."""

    name = "causal"
    families = ("causal",)
    selection_metric = "loss"
    greater_is_better = False

    text_name: str
    target_name: str = ""

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column, target = text_column(rows, recipe.data), recipe.data.target
        return [str(row[column]) for row in rows] + [
            text for row in rows if target and (text := target_text(row, target))
        ]

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.text_name, self.target_name = text_column(train, recipe.data), recipe.data.target
        if self.tokenizer.eos_token_id is None:
            raise BaseError(f"{base.spec}: its tokenizer has no token that ends a text")
        features = self.features(train[:2000])
        if not features:
            raise DataError(f"no training row has any text in the columns {self.text_name!r} and {self.target_name!r}")
        self.unigrams = Counter(token for each in features for token in each["labels"] if token != IGNORED)

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        model = base.model(AutoModelForCausalLM)
        model.generation_config.pad_token_id = self.tokenizer.pad_token_id
        return model

    def features(self, rows: Sequence[Row]) -> list[Features]:
        return [each for row in rows for each in self._row(row)]

    def encode(self, row: Row, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Features | None:
        return next(iter(self._row(row)), None)

    def _row(self, row: Row) -> list[Features]:
        text = str(row.get(self.text_name) or "")
        if self.target_name:
            target = target_text(row, self.target_name)
            return [self._answered(text, target)] if target else []
        found = []
        windows = encode_text(self.tokenizer, text, None, self.max_length, self.recipe) if text else []
        for at, window in enumerate(windows):
            ids = list(window["input_ids"])
            # GPT-2 ends no text by itself; a text that was cut has no end here.
            if at == len(windows) - 1 and len(ids) < self.max_length and ids[-1:] != [self.tokenizer.eos_token_id]:
                ids.append(self.tokenizer.eos_token_id)
            if len(ids) > 1:
                found.append({"input_ids": ids, "labels": ids})
        return found

    def _answered(self, prompt: str, target: str) -> Features:
        """The prompt's end is kept where both do not fit: it is nearest to what is to be written."""
        most = min(self.recipe.generation.max_target, self.max_length - 1)
        answer = [*self._ids(target)[: most - 1], int(self.tokenizer.eos_token_id)]
        before = self.prompt_ids(prompt, self.max_length - len(answer))
        return {"input_ids": before + answer, "labels": [IGNORED] * len(before) + answer}

    def prompt_ids(self, prompt: str, room: int) -> list[int]:
        """Ids of a prompt, with the token that begins a text where the tokenizer has one; at least one id."""
        ids = self._ids(self.recipe.generation.prefix + prompt)
        start = self.tokenizer.bos_token_id
        begin = [int(start)] if start is not None else []
        kept = ids[-(room - len(begin)) :] if room > len(begin) else []
        return (begin + kept)[: max(room, 1)] or [int(self.tokenizer.eos_token_id)]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"items": float((batch["labels"][:, 1:] != IGNORED).sum())}

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        logits, labels = self._next(model, batch)
        return Loss({"loss": single_label(logits, labels, totals["items"], self.recipe)}, logits)

    def _next(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits [items, vocabulary] of every labelled next token, and the tokens [items]."""
        labels = batch["labels"][:, 1:]
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
        real = labels != IGNORED
        # A prompt of virtual tokens stands before the input and is answered for too.
        logits = logits[:, -batch["input_ids"].shape[1] :][:, :-1]
        return logits[real], labels[real]

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """Loss per token in nats, perplexity and next-token accuracy; with a target also BLEU and exact match."""
        model.eval()
        features = self.features(rows)
        if not features:
            raise DataError("no row to measure on has any text")
        total, right, count = 0.0, 0, 0
        with torch.no_grad():
            for group in batches_of(self, features, self.recipe.batch.evaluation_tokens):
                batch = self.collate([features[at] for at in group])
                logits, labels = self._next(model, {name: value.to(model.device) for name, value in batch.items()})
                total += float(torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
                right += int((logits.argmax(-1) == labels).sum())
                count += len(labels)
        loss = total / max(count, 1)
        found = {"loss": loss, "perplexity": math.exp(min(loss, 50.0)), "accuracy": right / max(count, 1)}
        return found | (self._written(model, rows) if self.target_name else {})

    def _written(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        most = self.recipe.generation.evaluation_rows
        kept = [row for row in rows if target_text(row, self.target_name)]
        kept = kept[:most] if most else kept
        prompts = [str(row.get(self.text_name) or "") for row in kept]
        return corpus_scores(self.write(model, prompts), [target_text(row, self.target_name) for row in kept])

    def write(self, model: PreTrainedModel, prompts: Sequence[str]) -> list[str]:
        """What follows each prompt, greedily or by ``generation.beams``."""
        new = min(self.recipe.generation.max_target, self.max_length - 1)
        encoded = [{"input_ids": self.prompt_ids(text, self.max_length - new)} for text in prompts]
        found = [""] * len(prompts)
        model.eval()
        for group in batches_of(self, encoded, self.recipe.batch.evaluation_tokens):
            # Padded on the left: what is written follows the prompt at once.
            mask = padded([[1] * len(encoded[at]["input_ids"]) for at in group], 0).flip(1)
            ids = padded([encoded[at]["input_ids"][::-1] for at in group], int(self.tokenizer.pad_token_id)).flip(1)
            with torch.no_grad():
                produced = model.generate(
                    input_ids=ids.to(model.device),
                    attention_mask=mask.to(model.device),
                    max_new_tokens=new,
                    do_sample=False,
                    num_beams=self.recipe.generation.beams,
                    pad_token_id=self.tokenizer.pad_token_id,
                    eos_token_id=self.tokenizer.eos_token_id,
                )
            for at, row in zip(group, produced[:, ids.shape[1] :].tolist(), strict=True):
                found[at] = self.tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return found

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """Each token by its frequency in the training text; where there is a target, always the commonest one."""
        total = sum(self.unigrams.values()) + len(self.tokenizer)
        common = self.unigrams.most_common(1)[0][0]
        labels = [token for each in self.features(rows) for token in each["labels"][1:] if token != IGNORED]
        loss = -sum(math.log((self.unigrams[token] + 1) / total) for token in labels) / max(len(labels), 1)
        accuracy = sum(token == common for token in labels) / max(len(labels), 1)
        found = {"loss": loss, "perplexity": math.exp(min(loss, 50.0)), "accuracy": accuracy}
        if not self.target_name:
            return found
        answers = Counter(text for row in train if (text := target_text(row, self.target_name)))
        references = [text for row in rows if (text := target_text(row, self.target_name))]
        return found | corpus_scores([answers.most_common(1)[0][0]] * len(references), references)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "heads": ["writer"],
            "max_target": self.recipe.generation.max_target,
            "prefix": self.recipe.generation.prefix,
            "columns": {"text": self.text_name, "target": self.target_name},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.text_name, self.target_name = description["columns"]["text"], description["columns"]["target"]

    def load_model(self, folder: Path) -> PreTrainedModel:
        return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
