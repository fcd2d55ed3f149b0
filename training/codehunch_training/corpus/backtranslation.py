"""New descriptions for code by way of two small models trained here: code to words, and words back to code.

A description is kept where the second model, given only it, writes something like the code it came from
(Sennrich et al. 2016 for back-translation; Ahmad et al. 2022, "Summarize and Generate to Back-translate", for code).
Needs the extra ``train``; torch and transformers are imported only here.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from codehunch_training.corpus.folder import CorpusError, read_manifest, read_rows
from codehunch_training.corpus.near import tokens_of
from codehunch_training.corpus.rows import PairRow, identified
from codehunch_training.corpus.stretches import Stretch, units_of_corpus
from codehunch_training.corpus.work import Notes, Plan, Progress

Translate = Callable[[Sequence[str]], list[str]]
"""Texts to texts, one for one."""
BATCH = 32
_SPECIAL = ("<pad>", "</s>", "<unk>")
_LONGEST = 160
"""Tokens read and written."""
WHOLE = "tokenizer.json"
"""Written last: a folder that has it holds a whole translator."""
PAIRS_A_UNIT = 512


@attrs.frozen
class Size:
    """Shape of the two models and how long they learn."""

    width: int = 192
    layers: int = 3
    heads: int = 4
    vocabulary: int = 8000
    steps: int = 2000
    rate: float = 1e-3
    seed: int = 0


def likeness(one: str, two: str) -> float:
    """F1 of the tokens two pieces of code share, 0 to 1."""
    a, b = Counter(tokens_of(one)), Counter(tokens_of(two))
    shared = sum((a & b).values())
    return 2 * shared / max(1, sum(a.values()) + sum(b.values()))


def back_translate(
    rows: Iterator[PairRow], summarise: Translate, generate: Translate, *, least: float = 0.5
) -> Iterator[PairRow]:
    """A row with a new description for each whose way there and back keeps the code at least this alike."""
    while group := list(islice(rows, BATCH)):
        texts = summarise([code_of(row) for row in group])
        codes = generate([text.strip() for text in texts])
        for row, text, code in zip(group, texts, codes, strict=True):
            known = " ".join(text.split()) == " ".join(row.text.split())
            if text.strip() and not known and likeness(code, code_of(row)) >= least:
                yield identified(attrs.evolve(row, text=text.strip()))


def code_of(row: PairRow) -> str:
    """Signature and body, what both models see as code."""
    return f"{row.signature}\n{row.target}" if row.signature else row.target


class Translator:
    """A small T5 and its tokenizer; ``translate`` has the shape of ``Translate``."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def translate(self, texts: Sequence[str]) -> list[str]:
        import torch

        ids = _padded([_ids(self._tokenizer, text) for text in texts])
        with torch.inference_mode():
            made = self._model.generate(
                input_ids=ids, attention_mask=(ids != 0).long(), max_length=_LONGEST, num_beams=1, do_sample=False
            )
        return [self._tokenizer.decode([i for i in row.tolist() if i > 2]) for row in made]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._model.save_pretrained(folder)
        self._tokenizer.save(str(folder / "tokenizer.json.part"))
        (folder / "tokenizer.json.part").replace(folder / WHOLE)


def load_translator(folder: Path) -> Translator:
    """A translator saved before. Raises CorpusError."""
    from tokenizers import Tokenizer
    from transformers import T5ForConditionalGeneration

    if not (folder / WHOLE).is_file():
        raise CorpusError(f"{folder} holds no translator (no tokenizer.json); give another --models folder")
    model = T5ForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    return Translator(model.eval(), Tokenizer.from_file(str(folder / WHOLE)))


def train_translator(
    pairs: Sequence[tuple[str, str]], size: Size, on_step: Callable[[int, float], None] | None = None
) -> Translator:
    """A translator from the first text of each pair to the second, learned from nothing."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    if len(pairs) < BATCH:
        raise CorpusError(f"{len(pairs)} pairs are too few to learn from; give at least {BATCH}")
    torch.manual_seed(size.seed)
    tokenizer = _learn_tokenizer([text for pair in pairs for text in pair], size.vocabulary)
    config = T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=size.width, d_kv=size.width // size.heads,
        d_ff=4 * size.width, num_layers=size.layers, num_heads=size.heads, feed_forward_proj="gated-gelu",
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, dropout_rate=0.1,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).train()
    encoded = [(_ids(tokenizer, a), _ids(tokenizer, b)) for a, b in pairs]
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.rate, weight_decay=0.01)
    warmup = max(1, size.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warmup, max(0.02, 1 - step / max(1, size.steps)))
    )
    rng = random.Random(size.seed)
    for step in range(size.steps):
        batch = rng.sample(encoded, BATCH)
        sources, targets = _padded([a for a, _ in batch]), _padded([b for _, b in batch])
        loss = model(
            input_ids=sources, attention_mask=(sources != 0).long(), labels=targets.masked_fill(targets == 0, -100)
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if on_step is not None:
            on_step(step + 1, float(loss.detach()))
    return Translator(model.eval(), tokenizer)


def _learn_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(_SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [*tokenizer.encode(text).ids[: _LONGEST - 1], 1]


def _padded(rows: Sequence[list[int]]) -> Any:
    import torch

    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def models_for(
    rows: Sequence[PairRow], folder: Path, size: Size, on_step: Callable[[int, float], None] | None = None
) -> tuple[Translator, Translator]:
    """Summariser and generator: those of a folder, else trained on the rows and saved there, one after the other."""
    pairs = [(code_of(row), row.text) for row in rows]
    if not (folder / "summariser" / WHOLE).is_file():
        train_translator(pairs, size, on_step).save(folder / "summariser")
    if not (folder / "generator" / WHOLE).is_file():
        train_translator([(text, code) for code, text in pairs], size, on_step).save(folder / "generator")
    return load_translator(folder / "summariser"), load_translator(folder / "generator")


def plan_back_translation(
    folder: Path,
    out: Path,
    models: Path,
    *,
    least: float,
    size: Size,
    about: Mapping[str, Any],
    on_progress: Callable[[Progress], None] | None = None,
) -> Plan:
    """Train the models if ``models`` holds none, then a unit per ``PAIRS_A_UNIT`` pairs. Raises CorpusError.

    Held-out rows neither train a model nor get new descriptions.
    """
    manifest = read_manifest(folder)
    if manifest["rows"] != "pairs":
        raise CorpusError(f"{folder} holds {manifest['rows']}; backtranslate reads a corpus of pairs")
    rows = [row for row in read_rows(folder) if isinstance(row, PairRow) and _may_train(row)]
    done = 0

    def on_step(step: int, loss: float) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(Progress(done, 2 * size.steps, 0))

    models_for(rows, models, size, on_step)
    options = {"least": least, "models": str(models), "weights": _digest_of(models)}
    inputs = [{"fingerprint": manifest["fingerprint"], "path": str(folder)}]
    units = units_of_corpus(folder, PAIRS_A_UNIT)
    return Plan(map_back_translation, options, units, out, "pairs", {**about, "inputs": inputs})


def map_back_translation(stretch: Stretch, options: Mapping[str, Any], notes: Notes) -> Iterator[PairRow]:
    """The map of ``codehunch corpus backtranslate``: new descriptions only, the rows they came from are left out."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # Sums must not depend on how many cores there are.
    try:
        summariser, generator = (load_translator(Path(options["models"]) / n) for n in ("summariser", "generator"))
        rows = [row for row in stretch.rows(PairRow) if _may_train(row)]
        made = back_translate(iter(rows), summariser.translate, generator.translate, least=options["least"])
        left = len(rows)
        for row in made:
            left -= 1
            yield row
        notes.skipped["did not come back"] += left
    finally:
        torch.set_num_threads(threads)


def _may_train(row: PairRow) -> bool:
    return row.split in ("", "train")


def _digest_of(models: Path) -> str:
    """One digest of both models' weights: a run begun with other models is not continued."""
    digest = hashlib.sha256()
    for name in ("summariser", "generator"):
        digest.update((models / name / "model.safetensors").read_bytes())
    return digest.hexdigest()[:16]
