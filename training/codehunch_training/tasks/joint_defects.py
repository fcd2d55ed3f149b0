"""The joint defect model: is this function defective and of what kind, and where; both heads trained together."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from codehunch.inference.encoding import DEDENT, INDENT, NEWLINE, LexicalEncoder
from codehunch.syntax.lexemes import Lexeme, lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.bases import Base, BaseError
from codehunch_training.corpus.injection import definition
from codehunch_training.data import DataError, Row, label_column, text_column
from codehunch_training.losses import balanced_weights, single_label
from codehunch_training.metrics import classification
from codehunch_training.models.encoder import DefectConfig, DefectModel
from codehunch_training.models.joint import LAYERED, JointConfig, JointModel, fresh_heads
from codehunch_training.models.structure import ASSIGNING
from codehunch_training.recipe import Recipe
from codehunch_training.tasks.classify import CLEAN as CLEAN_VALUES
from codehunch_training.tasks.specification import IGNORED, Batch, Features, Loss, Task, batches_of

CLEAN, WHOLE = "clean", "defective-function"
MARKS = (NEWLINE, INDENT, DEDENT)
OWN = (JointConfig.model_type, DefectConfig.model_type)
"""Bases that are defect models already: trained on with their heads, their labels and their structure."""


class JointDefects(Task):
    """``codehunch train defects``. Reads functions as the server does: lexeme by lexeme, layout as three marks.

    Any encoder of BERT's or RoBERTa's layout, or ``new:roberta``; ``new:modern`` is the body of the default model.
    With ``objective.contrastive_weight``, a buggy function and its fixed twin stand in one batch, and the margin
    between their scores is trained.
    """

    name = "defects"
    selection_metric = "joint"
    pads: ClassVar[Mapping[str, int]] = {"token_labels": IGNORED}

    labels: tuple[str, ...]
    text_name: str
    label_name: str
    encoder: LexicalEncoder
    weights: Tensor | None = None

    def texts(self, rows: Sequence[Row], recipe: Recipe) -> list[str]:
        column = text_column(rows, recipe.data)
        return [
            lexeme.text for row in rows for lexeme in lexemes(str(row[column]), str(row.get("language") or "python"))
        ]

    def prepare(self, train: Sequence[Row], base: Base, recipe: Recipe) -> None:
        super().prepare(train, base, recipe)
        self.text_name, self.label_name = text_column(train, recipe.data), label_column(train, recipe.data)
        counts = Counter(self.label(row) for row in train)
        if len(counts) < 2:
            only = next(iter(counts), "none")
            raise DataError(f"all {len(train)} training rows are {only!r}; there is nothing to tell apart")
        if CLEAN not in counts:
            raise DataError("no training row is clean; label some `clean` or 0")
        known = tuple(base.config.token_labels) if base.kind in OWN and not base.fresh else ()
        self.labels = known or recipe.data.labels or (CLEAN, *sorted(set(counts) - {CLEAN}))
        if known and set(counts) - set(known):
            new = ", ".join(sorted(set(counts) - set(known)))
            raise DataError(f"{base.spec} does not know the label {new}; name all labels in data.labels of its own run")
        if self.labels[0] != CLEAN or set(counts) - set(self.labels):
            raise DataError(f"data.labels must begin with {CLEAN!r} and name {', '.join(sorted(counts))}")
        if recipe.objective.class_weights == "balanced":
            # Clean weighs as much as all kinds together: were it one class of twenty, all would read as defective.
            kinds = balanced_weights(torch.tensor([float(counts[name]) for name in self.labels[1:]]))
            faulty = len(train) - counts[CLEAN]
            self.weights = torch.cat([torch.tensor([len(train) / 2 / counts[CLEAN]]), kinds * len(train) / 2 / faulty])
        base.add_tokens(MARKS)
        self._encoder()

    def _encoder(self) -> None:
        if not self.tokenizer.is_fast:
            raise BaseError("the base's tokenizer is not a fast one; it needs a tokenizer.json")
        # A copy: the encoder reads special tokens in the source as text, and keeps that setting.
        own = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        window = self.max_length
        try:
            self.encoder = LexicalEncoder(own, window, min(self.recipe.model.stride, window // 4))
        except ValueError as error:
            raise BaseError(
                f"{error}; set model.max_length to 192 or more, and use a base with RoBERTa's specials"
            ) from error

    def build(self, base: Base, recipe: Recipe, rows: Sequence[Row]) -> PreTrainedModel:
        model = recipe.model
        if base.kind in OWN and not base.fresh:
            return base.model(AutoModel)
        if base.fresh and base.kind == "modernbert":
            config = DefectConfig(
                vocab_size=len(base.tokenizer), hidden_size=model.hidden_size, num_hidden_layers=model.layers,
                num_attention_heads=model.heads, intermediate_size=model.intermediate_size,
                hidden_dropout_prob=max(0.0, recipe.regularization.dropout), token_labels=list(self.labels),
                pad_token_id=base.tokenizer.pad_token_id,
            )  # fmt: skip
            fresh = DefectModel(config)
            fresh_heads(fresh)
            return fresh
        structured = model.structure != "none" or model.occurrence
        if structured and base.kind not in LAYERED:
            raise BaseError(f"model.structure is for {', '.join(LAYERED)} and new:roberta; {base.spec} is {base.kind}")
        base.config._attn_implementation = "eager" if structured else getattr(base.config, "_attn_implementation", None)
        body = base.model(_Poolerless if base.kind in LAYERED[:4] else AutoModel)
        assign = [ids[0] for text in ASSIGNING if len(ids := self.encoder.token_ids(text)) == 1]
        dropout = recipe.regularization.classifier_dropout
        config = JointConfig(
            json.loads(json.dumps(body.config.to_dict())), list(self.labels), model.structure, model.occurrence, assign,
            0.1 if dropout < 0 else dropout, pad_token_id=base.tokenizer.pad_token_id,
        )  # fmt: skip
        return JointModel(config, body)

    def label(self, row: Row) -> str:
        """A row's label as a kind: 0 is clean, 1 a defect of no known kind."""
        value = row.get(self.label_name)
        if value is None or value == "":
            raise DataError(f"a row has no label in the column {self.label_name!r}")
        name = str(int(value)) if isinstance(value, bool | float) and value == int(value) else str(value)
        if name.lower() in CLEAN_VALUES:
            return CLEAN
        return WHOLE if name in ("1", "true", "True") else name

    def examples(self, row: Row) -> list[Features]:
        """A row's windows. Tokens of a defective row without spans carry no label: nobody knows where it is wrong."""
        label = self.label(row)
        text = str(row.get(self.text_name) or "")
        found = lexemes(text, str(row.get("language") or "python"))
        # A kind no training row has is a defect all the same; that its kind cannot be told is ``kind_accuracy``'s.
        index = self.labels.index(label) if label in self.labels else 1
        spans = [tuple(span)[:2] for span in row.get(self.recipe.data.spans) or ()]
        for start, end in spans:
            if not 0 <= int(start) <= int(end) <= len(text):
                raise DataError(f"the span {[start, end]} is not inside its text of {len(text)} characters")
        known = index == 0 or bool(spans)
        wrong = np.zeros(len(found), dtype=np.int64)
        for number, lexeme in enumerate(found):
            at = lexeme.span
            if lexeme.text and index and any(at.start < end and at.end > start for start, end in spans):
                wrong[number] = index
        windows = self.encoder.encode(found)
        if self.recipe.data.long == "truncate":
            windows = windows[:1]
        examples: list[Features] = []
        for window in windows:
            owner = window.lexemes
            labels = (
                np.where(owner >= 0, wrong[np.maximum(owner, 0)], IGNORED) if known and len(found) else owner * 0 - 100
            )
            # The sequence head judges windows: one that does not hold the defect reads as clean.
            here = index if not spans or (labels > 0).any() else 0
            examples.append(
                {
                    "input_ids": window.input_ids.tolist(),
                    "identifier_ids": window.identifier_ids.tolist(),
                    "token_labels": labels.tolist(),
                    "labels": here,
                }
            )
        return examples

    def features(self, rows: Sequence[Row]) -> list[Features]:
        contrast = self.recipe.objective.contrastive_weight > 0
        found: list[Features] = []
        groups: dict[str, dict[bool, list[Features]]] = defaultdict(lambda: {True: [], False: []})
        for row in rows:
            examples = self.examples(row)
            group = str(row.get(self.recipe.data.group) or "")
            if contrast and group and len(examples) == 1 and row.get("role") != "untouched":
                groups[group][examples[0]["labels"] == 0] += examples
            else:
                found += examples
        for twins in groups.values():
            while twins[True] and twins[False]:
                found.append({**twins[False].pop(), "twin": twins[True].pop()})
            found += twins[True] + twins[False]
        if contrast and not any("twin" in each for each in found):
            raise DataError(
                f"objective.contrastive_weight needs twins: rows of one {self.recipe.data.group!r}, one clean"
            )
        return found

    def length(self, features: Features) -> int:
        twin = features.get("twin")
        return len(features["input_ids"]) + (len(twin["input_ids"]) if twin else 0)

    def collate(self, features: Sequence[Features]) -> Batch:
        """``twin`` [batch]: the row of a buggy function's fixed twin, -1 where it has none."""
        flat = [{key: value for key, value in each.items() if key != "twin"} for each in features]
        twins = [-1] * len(flat)
        for at, each in enumerate(features):
            if "twin" in each:
                twins[at] = len(flat)
                flat.append(dict(each["twin"]))
                twins.append(-1)
        batch = super().collate(flat)
        return batch | {"twin": torch.tensor(twins)}

    def counts(self, batch: Batch) -> dict[str, float]:
        return {
            "items": float(len(batch["input_ids"])),
            "tokens": float((batch["token_labels"] != IGNORED).sum()),
            "pairs": float((batch["twin"] >= 0).sum()),
        }

    def loss(self, model: PreTrainedModel, batch: Batch, totals: Mapping[str, float]) -> Loss:
        table = self.recipe.objective
        outputs = model(batch["input_ids"], batch["attention_mask"], batch["identifier_ids"])
        weights = self.weights.to(outputs.logits.device) if self.weights is not None else None
        sequence = single_label(outputs.logits, batch["labels"], totals["items"], self.recipe, weights)
        parts = {"sequence": table.sequence_weight * sequence}
        flat = batch["token_labels"].view(-1)
        chosen = flat != IGNORED
        each = outputs.token_logits.reshape(-1, len(self.labels))[chosen]
        parts["token"] = table.token_weight * single_label(each, flat[chosen], totals["tokens"], self.recipe)
        if table.contrastive_weight:
            buggy = torch.nonzero(batch["twin"] >= 0)[:, 0]
            score = defect_score(outputs.logits.float())
            gap = score[buggy] - score[batch["twin"][buggy]]
            margin = F.relu(table.contrastive_margin - gap).sum() / max(totals["pairs"], 1.0)
            parts["contrast"] = table.contrastive_weight * margin
        return Loss(parts, outputs.logits, outputs)

    def predict(
        self, model: PreTrainedModel, rows: Sequence[Row]
    ) -> tuple[NDArray[np.float64], list[tuple[NDArray[np.float64], NDArray[np.int64]]]]:
        """Probabilities [rows, labels] of the most suspicious window, and per row the suspicion of each labelled token
        [tokens] with its true label [tokens]."""
        model.eval()
        windows = [(at, each) for at, row in enumerate(rows) for each in self.examples(row)]
        features = [each for _, each in windows]
        whole = np.zeros((len(rows), len(self.labels)))
        tokens: list[tuple[list[Any], list[Any]]] = [([], []) for _ in rows]
        seen = [False] * len(rows)
        answers: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        with torch.inference_mode():
            for group in batches_of(self, features, self.recipe.batch.evaluation_tokens):
                batch = self.collate([features[at] for at in group])
                names = ("input_ids", "attention_mask", "identifier_ids")
                outputs = model(*(batch[name].to(model.device) for name in names))
                heads = (outputs.logits, outputs.token_logits)
                sequence, each = (head.float().softmax(-1).cpu().numpy() for head in heads)
                answers.update({at: (sequence[row], each[row]) for row, at in enumerate(group)})
        for number, (at, example) in enumerate(windows):
            sequence, each = answers[number]
            if not seen[at] or sequence[0] < whole[at, 0]:
                whole[at], seen[at] = sequence, True
            truth = np.array(example["token_labels"])
            chosen = truth != IGNORED
            tokens[at][0].append(1 - each[: len(truth), 0][chosen])
            tokens[at][1].append(truth[chosen])
        return whole, [(np.concatenate(suspicion), np.concatenate(truth)) for suspicion, truth in tokens]

    def evaluate(self, model: PreTrainedModel, rows: Sequence[Row]) -> dict[str, float]:
        """Of the sequence head: is it defective, and of what kind; ``paired``: of twins, how often the buggy one scores
        higher. Of the token head: how often the most suspicious token is wrong. ``joint``: the mean of ROC-AUC and
        localisation."""
        whole, tokens = self.predict(model, rows)
        names = [self.label(row) for row in rows]
        truth = np.array([self.labels.index(name) if name in self.labels else len(self.labels) for name in names])
        binary = np.stack([whole[:, 0], 1 - whole[:, 0]], 1)
        found = classification(binary, (truth > 0).astype(np.int64))
        if len(self.labels) > 2:
            found["kind_accuracy"] = float((whole.argmax(1) == truth).mean())
        hits = [bool(marks[int(suspicion.argmax())] > 0) for suspicion, marks in tokens if (marks > 0).any()]
        twins: dict[str, dict[bool, float]] = defaultdict(dict)
        for row, score, clean in zip(rows, binary[:, 1], truth == 0, strict=True):
            if row.get(self.recipe.data.group) and row.get("role") != "untouched":
                twins[str(row[self.recipe.data.group])][bool(clean)] = float(score)
        won = [pair[False] > pair[True] for pair in twins.values() if len(pair) == 2]
        if won:
            found["paired"] = float(np.mean(won))
        if hits:
            found["top1"] = float(np.mean(hits))
        parts = [value for value in (found["roc_auc"], found.get("top1")) if value is not None and value == value]
        return found | {"joint": float(np.mean(parts)) if parts else 0.0}

    def baseline(self, train: Sequence[Row], rows: Sequence[Row]) -> dict[str, float]:
        """The training rows' share of defects for every row, and a token drawn at random."""
        share = float(np.mean([self.label(row) != CLEAN for row in train]))
        truth = np.array([self.label(row) != CLEAN for row in rows]).astype(np.int64)
        found = classification(np.tile([1 - share, share], (len(rows), 1)), truth)
        rates = []
        for row in rows:
            marks = np.concatenate([np.array(each["token_labels"]) for each in self.examples(row)])
            marks = marks[marks != IGNORED]
            if (marks > 0).any():
                rates.append(float((marks > 0).mean()))
        found |= {"paired": 0.5} | ({"top1": float(np.mean(rates))} if rates else {})
        parts = [value for value in (found["roc_auc"], found.get("top1")) if value is not None and value == value]
        return found | {"joint": float(np.mean(parts)) if parts else 0.0}

    def describe(self) -> dict[str, Any]:
        return super().describe() | {
            "stride": self.encoder.stride,
            "heads": ["sequence", "token"],
            "labels": list(self.labels),
            "encoding": "lexical",
            "columns": {"text": self.text_name, "label": self.label_name},
        }

    def restore(self, description: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        super().restore(description, tokenizer, recipe)
        self.labels = tuple(description["labels"])
        self.text_name, self.label_name = description["columns"]["text"], description["columns"]["label"]
        self._encoder()

    def load_model(self, folder: Path) -> PreTrainedModel:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
        return (DefectModel if kind == DefectConfig.model_type else JointModel).from_pretrained(folder)


def defect_score(logits: Tensor) -> Tensor:
    """Log odds [batch] of a defect of any kind."""
    return torch.logsumexp(logits[:, 1:], -1) - logits[:, 0]


def lexemes(text: str, language: str) -> list[Lexeme]:
    """Lexemes of the text's first function, or of all of it where none is found."""
    try:
        parsed = parse(text, language)
    except (KeyError, ValueError) as error:
        raise DataError(f"there is no parser for the language {language!r}") from error
    node = definition(parsed)
    return lexemes_of(parsed, node if node is not None else parsed.tree.root_node)


class _Poolerless:
    """``AutoModel`` without the pooler, for the sequence head here has its own dense layer."""

    @staticmethod
    def from_pretrained(spec: str, **options: Any) -> Any:
        return AutoModel.from_pretrained(spec, add_pooling_layer=False, **options)

    @staticmethod
    def from_config(config: Any) -> Any:
        return AutoModel.from_config(config, add_pooling_layer=False)
