"""Pre-training an encoder, continued or from nothing, by any mixture of four objectives.

``mlm``: masked language modelling. ``nsp``: does the second block follow the first. ``rtd``: which tokens were replaced
by a language model's guesses (Clark et al. 2020, ELECTRA; here the body's own language-model head is the generator).
``corruption``: where are the many defects injected into this function, and of what kind (dense; Python).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from codehunch_training.bases import Base, BaseError
from codehunch_training.corpus.injection import KIND_WEIGHTS
from codehunch_training.data import DataError, Row, text_column
from codehunch_training.evaluation.ranking import auc
from codehunch_training.losses import single_label
from codehunch_training.models.pretraining import PretrainingModel
from codehunch_training.recipe import Recipe, RecipeError
from codehunch_training.tasks.defect_data import Mixture, corrupt
from codehunch_training.tasks.masking import mask_tokens, next_block
from codehunch_training.tasks.specification import IGNORED, Batch, Features, Loss, Task, batches_of
from codehunch_training.tasks.tokens import trimmed
from codehunch_training.tasks.windows import frame_of

OBJECTIVES = ("mlm", "nsp", "rtd", "corruption")
KINDS = ("clean", *sorted(name for name, weight in KIND_WEIGHTS.items() if weight > 0))
EXTRA_HEADS = "heads.safetensors"
_ROWS = 400
"""Most validation examples of one measurement."""


class Pretrain(Task):
    """``best/`` is a masked language model that any other task takes as its base."""

    name = "pretrain"
    pads: ClassVar[Mapping[str, int]] = {"labels": IGNORED, "mlm_labels": IGNORED, "corruption_labels": IGNORED}

    text_name: str
    blocks: list[Features]

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column = text_column(rows, recipe.data)
        return [str(row[column]) for row in rows]

    def check_base(self, base: Base) -> None:
        super().check_base(base)
        if type(base.config) not in AutoModelForMaskedLM._model_mapping:
            raise BaseError(f"{base.spec} ({base.kind}) has no language-model head; {self.name} needs {self._needs()}")
        if base.tokenizer.mask_token_id is None:
            raise BaseError(f"{base.spec}: its tokenizer has no mask token; {self.name} needs {self._needs()}")

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.objectives = recipe.objective.objectives
        unknown = [name for name in self.objectives if name not in OBJECTIVES]
        if unknown or not self.objectives:
            raise RecipeError(f"objective.objectives: choose from {', '.join(OBJECTIVES)}, not {', '.join(unknown)!r}")
        if "rtd" in self.objectives and "mlm" not in self.objectives:
            raise RecipeError("replaced-token detection needs mlm beside it: the guesses are its replacements")
        if "corruption" in self.objectives and "nsp" in self.objectives:
            raise RecipeError("corruption reads single functions and nsp pairs of blocks: choose one of the two")
        self.text_name = text_column(train, recipe.data)
        self.segments = "nsp" in self.objectives and recipe.objective.segments == "widen"
        if self.segments and not hasattr(base.config, "type_vocab_size"):
            raise RecipeError(f"{base.spec} ({base.kind}) has no segment embeddings; set objective.segments = omit")
        self._vocabulary()
        found = self.features(train)
        counts = Counter(token for each in found[:2000] for token in each["ids"])
        self.common = counts.most_common(1)[0][0] if counts else 0
        if "nsp" in self.objectives and sum(each["following"] >= 0 for each in found) < 2:
            raise DataError("the texts are too short for next-segment prediction: no row fills two blocks")

    def _vocabulary(self) -> None:
        self.selection_metric = "mlm_accuracy" if "mlm" in self.objectives else f"{self.objectives[0]}_score"
        self.frame = frame_of(self.tokenizer)
        self.specials = set(self.tokenizer.all_special_ids)
        self.words = [at for at in range(len(self.tokenizer)) if at not in self.specials]

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        lm = base.model(AutoModelForMaskedLM)
        if self.segments:
            widen_segments(lm)
        return PretrainingModel(lm, self._heads())

    def _heads(self) -> dict[str, int]:
        sizes = {"nsp": 2, "rtd": 2, "corruption": len(KINDS)}
        return {name: sizes[name] for name in self.objectives if name in sizes}

    # Examples

    def features(self, rows: Sequence[Row]) -> list[Features]:
        """Blocks of tokens without specials: half a window each for nsp, else a window; corruption keeps the text."""
        pairs = "nsp" in self.objectives
        around = len(self.frame.pair([], []))
        room = (self.max_length - around) // 2 if pairs else self.max_length - len(self.frame.single([]))
        found: list[Features] = []
        for row in rows:
            text = str(row.get(self.text_name) or "")
            if not text.strip():
                continue
            if "corruption" in self.objectives:
                ids = self._plain(text)[: self.max_length - 2]
                found.append({"ids": ids, "text": text, "following": -1, "at": len(found)})
                continue
            ids = self._plain(text)
            starts = list(range(0, len(ids), room))
            for number, start in enumerate(starts):
                follows = len(found) + 1 if pairs and number + 1 < len(starts) else -1
                found.append({"ids": ids[start : start + room], "following": follows, "at": len(found)})
        self.blocks = found
        return found

    def _plain(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def length(self, features: Features) -> int:
        if "input_ids" in features:
            return len(features["input_ids"])
        return (2 if "nsp" in self.objectives else 1) * len(features["ids"]) + 4

    def draw(self, features: Features, rng: random.Random) -> Features:
        drawn: dict[str, Any] = {}
        if "corruption" in self.objectives:
            ids, drawn["corruption_labels"] = self._corrupted(features["text"], rng)
        elif "nsp" in self.objectives:
            at, follows = next_block(features["at"], features["following"], len(self.blocks), rng)
            ids = self.frame.pair(features["ids"], self.blocks[at]["ids"])
            drawn["nsp_labels"] = follows
            if self.segments:
                first = len(self.frame.single(features["ids"]))
                drawn["token_type_ids"] = [int(place >= first) for place in range(len(ids))]
        else:
            ids = self.frame.single(features["ids"])
        drawn["input_ids"] = ids
        if "mlm" in self.objectives:
            rate, mask = self.recipe.objective.mask_rate, int(self.tokenizer.mask_token_id)
            drawn["input_ids"], drawn["mlm_labels"] = mask_tokens(ids, self.specials, mask, self.words, rate, rng)
            if "corruption_labels" in drawn:
                hidden = [label != IGNORED for label in drawn["mlm_labels"]]
                drawn["corruption_labels"] = [
                    IGNORED if gone else label for gone, label in zip(hidden, drawn["corruption_labels"], strict=True)
                ]
        return drawn

    def _corrupted(self, text: str, rng: random.Random) -> tuple[list[int], list[int]]:
        table = self.recipe.objective
        injected = corrupt(text, Mixture(clean=table.clean, dense=1.0, rate=table.corruption_rate), rng)
        shown, wrong = (injected.text, injected.labels) if injected is not None else (text, {})
        found = self.tokenizer(
            shown, truncation=True, max_length=self.max_length, return_offsets_mapping=True, verbose=False
        )
        labels = []
        for start, end in found["offset_mapping"]:
            start, end = trimmed(shown, start, end)
            kinds = [wrong[at] for at in range(start, end) if at in wrong]
            labels.append(IGNORED if start == end else KINDS.index(kinds[0]) if kinds and kinds[0] in KINDS else 0)
        return found["input_ids"], labels

    # Loss

    def counts(self, batch: Batch) -> dict[str, float]:
        found = {"items": float(len(batch["input_ids"])), "tokens": float(batch["attention_mask"].sum())}
        for name in ("mlm", "corruption"):
            if f"{name}_labels" in batch:
                found[name] = float((batch[f"{name}_labels"] != IGNORED).sum())
        return found

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        """A part an objective, so that each is in the log; their sum is minimised."""
        table = self.recipe.objective
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        states = model(**inputs)
        parts: dict[str, Tensor] = {}
        if "mlm" in self.objectives:
            chosen = batch["mlm_labels"] != IGNORED
            logits = model("words", states[chosen])
            parts["mlm"] = single_label(logits, batch["mlm_labels"][chosen], totals["mlm"], self.recipe)
            if "rtd" in self.objectives:
                parts["rtd"] = table.rtd_weight * self._replaced(model, inputs, batch, logits, totals)
        if "nsp" in self.objectives:
            answers = model("nsp", states[:, 0])
            parts["nsp"] = table.nsp_weight * single_label(answers, batch["nsp_labels"], totals["items"], self.recipe)
        if "corruption" in self.objectives:
            chosen = batch["corruption_labels"] != IGNORED
            answers = model("corruption", states[chosen])
            parts["corruption"] = single_label(
                answers, batch["corruption_labels"][chosen], totals["corruption"], self.recipe
            )
        return Loss(parts, None, states)

    def _replaced(
        self, model: PreTrainedModel, inputs: Batch, batch: Batch, logits: Tensor, totals: Mapping[str, float]
    ) -> Tensor:
        shown, replaced = replace(batch, logits.detach())
        answers = model("rtd", model(**{**inputs, "input_ids": shown}))
        real = batch["attention_mask"].bool()
        return single_label(answers[real], replaced[real].long(), totals["tokens"], self.recipe)

    # Measuring

    def _drawn(self, rows: Sequence[Row]) -> list[Features]:
        kept = getattr(self, "blocks", [])
        found = self.features(rows)
        drawn = [self.draw(each, random.Random(f"measure:{at}")) for at, each in enumerate(found[:_ROWS])]
        self.blocks = kept
        return drawn

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """The same masks and corruptions at every call: accuracy and perplexity of masked tokens, accuracy of nsp, AUC
        of rtd, F1 of injected defects."""
        model.eval()
        drawn = self._drawn(rows)
        seen: dict[str, list[Any]] = {"right": [], "loss": [], "nsp": [], "replaced": [], "kept": [], "corrupt": []}
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(0)
            for group in batches_of(self, drawn, self.recipe.batch.evaluation_tokens):
                batch = {k: v.to(model.device) for k, v in self.collate([drawn[at] for at in group]).items()}
                self._measure(model, batch, seen)
        found: dict[str, float] = {}
        if "mlm" in self.objectives:
            loss = float(np.mean(seen["loss"]))
            found |= {
                "mlm_accuracy": float(np.mean(seen["right"])),
                "mlm_loss": loss,
                "perplexity": math.exp(min(loss, 50)),
            }
        if "nsp" in self.objectives:
            found["nsp_accuracy"] = found["nsp_score"] = float(np.mean(seen["nsp"]))
        if "rtd" in self.objectives:
            found["rtd_auc"] = auc(np.array(seen["replaced"]), np.array(seen["kept"]))
        if "corruption" in self.objectives:
            table = np.concatenate(seen["corrupt"])
            found["corruption_f1"] = found["corruption_score"] = f1(table[:, 0], table[:, 1])
        return found

    def _measure(self, model: PreTrainedModel, batch: Batch, seen: dict[str, list[Any]]) -> None:
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        states = model(**inputs)
        if "mlm" in self.objectives:
            chosen = batch["mlm_labels"] != IGNORED
            logits, labels = model("words", states[chosen]).float(), batch["mlm_labels"][chosen]
            seen["right"] += (logits.argmax(-1) == labels).tolist()
            seen["loss"] += nn.functional.cross_entropy(logits, labels, reduction="none").tolist()
            if "rtd" in self.objectives:
                shown, replaced = replace(batch, logits)
                scores = model("rtd", model(**{**inputs, "input_ids": shown})).float().softmax(-1)[..., 1]
                real = batch["attention_mask"].bool()
                seen["replaced"] += scores[real & replaced].tolist()
                seen["kept"] += scores[real & ~replaced].tolist()
        if "nsp" in self.objectives:
            seen["nsp"] += (model("nsp", states[:, 0]).argmax(-1) == batch["nsp_labels"]).tolist()
        if "corruption" in self.objectives:
            chosen = batch["corruption_labels"] != IGNORED
            answers = model("corruption", states[chosen]).argmax(-1)
            seen["corrupt"].append(torch.stack([answers, batch["corruption_labels"][chosen]], 1).cpu().numpy())

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """Always the most common token; a coin; every token called defective, which is the best F1 without reading."""
        drawn = self._drawn(rows)
        found: dict[str, float] = {}
        if "mlm" in self.objectives:
            labels = [label for each in drawn for label in each["mlm_labels"] if label != IGNORED]
            found["mlm_accuracy"] = float(np.mean([label == self.common for label in labels])) if labels else 0.0
        if "nsp" in self.objectives:
            share = float(np.mean([each["nsp_labels"] for each in drawn]))
            found["nsp_accuracy"] = found["nsp_score"] = max(share, 1 - share)
        if "rtd" in self.objectives:
            found["rtd_auc"] = 0.5
        if "corruption" in self.objectives:
            labels = [label for each in drawn for label in each["corruption_labels"] if label != IGNORED]
            truth = np.array(labels)
            commonest = np.bincount(truth[truth > 0]).argmax() if (truth > 0).any() else 1
            found["corruption_f1"] = found["corruption_score"] = f1(np.full(len(truth), commonest), truth)
        return found

    # A finished run

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "heads": ["mlm", *self._heads()],
            "objectives": list(self.objectives),
            "segments": self.segments,
            "common": int(self.common),
            "columns": {"text": self.text_name},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.objectives, self.segments = tuple(description["objectives"]), bool(description["segments"])
        self.text_name, self.common = description["columns"]["text"], description["common"]
        self._vocabulary()

    def save_model(self, model: PreTrainedModel, folder: Path) -> None:
        model.lm.save_pretrained(folder, safe_serialization=True)
        if model.heads is not None:
            save_file(
                {name: value.contiguous() for name, value in model.heads.state_dict().items()}, folder / EXTRA_HEADS
            )

    def load_model(self, folder: Path) -> PreTrainedModel:
        lm = AutoModelForMaskedLM.from_pretrained(folder, trust_remote_code=False)
        model = PretrainingModel(lm, self._heads())
        if model.heads is not None:
            model.heads.load_state_dict(load_file(folder / EXTRA_HEADS))
        return model


def replace(batch: Batch, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Token ids with a guess drawn from ``logits`` [chosen, vocabulary] at each masked place, and where the guess is
    not what stood there [batch, tokens]."""
    labels = batch["mlm_labels"]
    chosen = labels != IGNORED
    original = torch.where(chosen, labels, batch["input_ids"])
    shown = original.clone()
    if chosen.any():
        shown[chosen] = torch.multinomial(logits.float().softmax(-1), 1)[:, 0]
    return shown, shown != original


def widen_segments(lm: PreTrainedModel) -> None:
    """Two segment embeddings where the body has one (RoBERTa): the second begins as the first, so nothing changes
    until it is trained."""
    body = lm.base_model
    old = body.embeddings.token_type_embeddings
    if old.num_embeddings >= 2:
        return
    new = nn.Embedding(2, old.embedding_dim)
    new.weight.data.copy_(old.weight.data[:1].expand(2, -1))
    body.embeddings.token_type_embeddings = new
    lm.config.type_vocab_size = 2


def f1(chosen: np.ndarray, truth: np.ndarray) -> float:
    """F1 of labels above 0, of which the kind must be right."""
    hit = ((chosen == truth) & (truth > 0)).sum()
    marked = (chosen > 0).sum() + (truth > 0).sum()
    return float(2 * hit / marked) if marked else 0.0
