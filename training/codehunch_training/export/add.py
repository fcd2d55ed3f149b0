"""``codehunch bundles add``: any checkpoint in the Hugging Face layout as a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from codehunch.bundles.bundle import Bundle, sha256_of
from codehunch.bundles.manifest import GenerationSpec
from codehunch.generation.completion import Completion, encode_completion
from codehunch.generation.prompt import encode_text
from codehunch.inference.encoding import LexicalEncoder
from codehunch.syntax.lexemes import lexemes_of
from codehunch.syntax.parsing import parse
from codehunch_training.bases import Base, load_base
from codehunch_training.corpus.injection import definition
from codehunch_training.export.bundling import Options, generation_spec, write
from codehunch_training.export.subject import ExportError, Say, Subject, feeds_of, standard_library
from codehunch_training.models.encoder import DefectConfig, DefectModel

PromptKind = Literal["auto", "text", "infill", "middle"]
PROMPTS: tuple[PromptKind, ...] = ("auto", "text", "infill", "middle")

CLEAN = ("clean", "0", "label_0", "false", "no", "good", "benign", "secure", "non-vulnerable", "negative")
"""Names, in lower case, of the label that says that nothing is wrong."""
DEFECTIVE = ("1", "label_1", "true", "yes", "bad", "vulnerable", "insecure")
MIDDLE = (
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen2.5-Coder, CodeGemma
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001 - DeepSeek-Coder writes them so
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),  # Code Llama
)
"""Prefix, suffix and middle tokens of models trained to fill in the middle."""
SENTINELS = ("<extra_id_0>", "<extra_id_1>")
"""T5's: the first stands for the hidden span, the second ends it in the answer."""
ENDINGS = (
    "<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<|file_separator|>", "<file_sep>", "<|repo_name|>", "<EOT>",
    "▁<EOT>", "<|fim_pad|>", "<fim_pad>",
)  # fmt: skip
EXAMPLES = 48
WRITTEN = 12
_NAME = re.compile(r"[^A-Za-z0-9._+-]+")


def add_checkpoint(
    checkpoint: str, task: str, out: Path, options: Options, prompt: PromptKind = "auto", say: Say = lambda _: None
) -> Bundle:
    """Make a bundle of a checkpoint's folder, or of its hub id, in ``out``.

    The network is used only for a hub id. Parity is measured on functions of Python's standard library. Raises
    ExportError and BaseError for what cannot serve the task, ParityError where the graphs are not the model.
    """
    say(f"loading {checkpoint}")
    subject = _own(checkpoint, options) if _is_own(checkpoint) else None
    if subject is not None and task != "defects":
        raise ExportError(f"{checkpoint} is a defect model of this project; add it with --task defects")
    if subject is None:
        base = load_base(checkpoint)
        subject = _defects(base, options) if task == "defects" else _generation(base, options, prompt)
    return write(subject, out, options, say)


def _defects(base: Base, options: Options) -> Subject:
    heads = {"ForSequenceClassification": "classifier", "ForTokenClassification": "tokens"}
    names = [name for name in base.config.architectures or () if name.endswith(tuple(heads))]
    if not names or base.family != "encoder":
        raise ExportError(
            f"{base.spec} ({', '.join(base.config.architectures or ('no architecture named',))}) has no head that "
            f"judges code; fine-tune it first: codehunch train classify --base {base.spec} --data DATA"
        )
    kind = next(kind for ending, kind in heads.items() if names[0].endswith(ending))
    labels = [str(base.config.id2label[at]) for at in range(base.config.num_labels)]
    served = _served(labels, base.spec)
    auto = AutoModelForSequenceClassification if kind == "classifier" else AutoModelForTokenClassification
    if base.config.problem_type == "multi_label_classification":
        raise ExportError(f"{base.spec} gives several labels at once; the server reads one label per function")
    model, tokenizer = base.model(auto), _tokenizer(base)
    window = min(512, base.limit)
    tokenizer.enable_truncation(window)
    features = [{"input_ids": tokenizer.encode(text).ids} for text in standard_library(EXAMPLES)]
    tokenizer.no_truncation()
    return Subject(
        **_common(base, options),
        kind=kind,  # type: ignore[arg-type]
        model=model,
        tokenizer=tokenizer,
        labels=served,
        window=window,
        stride=min(128, window // 4),
        feeds=feeds_of(features, EXAMPLES),
    )


def _served(labels: Sequence[str], spec: str) -> tuple[str, ...]:
    """Labels as a bundle has them. Raises ExportError unless the first says that nothing is wrong."""
    if len(labels) < 2 or labels[0].lower() not in CLEAN:
        raise ExportError(
            f"{spec}: its labels are {', '.join(labels)}; the first of two or more must say that nothing is wrong "
            "(clean, LABEL_0): change id2label in its config.json where that is only a name"
        )
    return ("clean", *("defective" if each.lower() in DEFECTIVE else each for each in labels[1:]))


def _generation(base: Base, options: Options, prompt: PromptKind) -> Subject:
    if base.family == "encoder":
        raise ExportError(
            f"{base.spec} ({base.kind}) is an encoder and writes nothing; give it a decoder: "
            f"codehunch train generation --base {base.spec} --data DATA"
        )
    single = base.family == "causal"
    model = base.model(AutoModelForCausalLM if single else AutoModelForSeq2SeqLM)
    tokenizer = _tokenizer(base)
    known = tokenizer.get_vocab()
    chosen, tokens = _prompt(prompt, known, single, base.spec)
    eos = model.generation_config.eos_token_id
    eos = model.config.eos_token_id if eos is None else eos
    ends = [int(each) for each in (eos if isinstance(eos, list) else [eos]) if each is not None]
    ends += [known[token] for token in ENDINGS if token in known and known[token] not in ends]
    if chosen == "infill" and SENTINELS[1] in known:
        ends.append(known[SENTINELS[1]])
    if not ends:
        raise ExportError(f"{base.spec}: neither config.json nor the tokenizer names a token that ends a text")
    start = None if single else model.config.decoder_start_token_id
    if start is None and not single:
        raise ExportError(f"{base.spec}: config.json names no decoder_start_token_id; set it there")
    limit = min(base.limit, 2048)
    max_new = min(160, limit // 4)
    pad = base.tokenizer.pad_token_id
    subject = Subject(
        **_common(base, options),
        kind="decoder-only" if single else "encoder-decoder",
        model=model,
        tokenizer=tokenizer,
        window=min(limit - max_new, 1024) if single else min(limit, 1024),
        stride=0,
        max_new=max_new,
        prompt=chosen,
        prompt_tokens=tokens,
        starts=(int(start or 0), ends[0], int(ends[0] if pad is None else pad)),
        ends=tuple(ends[1:]),
    )
    prompts, targets = _places(tokenizer, generation_spec(subject))
    return attrs.evolve(subject, prompts=prompts, targets=targets)


def _prompt(
    wanted: PromptKind, known: Mapping[str, int], single: bool, spec: str
) -> tuple[Literal["text", "infill", "middle"], tuple[str, ...]]:
    """What the model is asked with: what was wanted, else the best its tokens allow."""
    middle = next((tokens for tokens in MIDDLE if all(token in known for token in tokens)), None)
    if wanted in ("auto", "middle") and single and middle is not None:
        return "middle", middle
    if wanted in ("auto", "infill") and not single and SENTINELS[0] in known:
        return "infill", SENTINELS[:1]
    if wanted in ("infill", "middle"):
        raise ExportError(f"{spec}: its tokenizer has no tokens for --prompt {wanted}; leave it out, or say text")
    return "text", ()


def _places(tokenizer: Tokenizer, spec: GenerationSpec) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts in the middle of real functions, and the tokens that stand there."""
    prompts, targets = [], []
    for text in standard_library(4 * WRITTEN):
        lines = text.rstrip("\n").split("\n")
        if len(lines) < 4:
            continue
        half = len(lines) // 2
        indent = lines[half][: len(lines[half]) - len(lines[half].lstrip())]
        place = Completion("\n".join(lines[:half]) + "\n" + indent, "\n".join(lines[half + 2 :]), indent)
        prompts.append(encode_completion(tokenizer, spec, place))
        targets.append(encode_text(tokenizer, "\n".join(lines[half : half + 2]).lstrip())[: min(32, spec.max_new)])
        if len(prompts) == WRITTEN:
            break
    return prompts, targets


def _is_own(checkpoint: str) -> bool:
    path = Path(checkpoint) / "config.json"
    return path.is_file() and f'"{DefectConfig.model_type}"' in path.read_text(encoding="utf-8", errors="replace")


def _own(checkpoint: str, options: Options) -> Subject:
    """A defect model of this project, such as one `codehunch bundles restore` wrote."""
    folder = Path(checkpoint)
    model = DefectModel.from_pretrained(folder)
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ExportError(f"{folder}: there is no tokenizer.json beside the model")
    tokenizer = Tokenizer.from_file(str(path))
    encoder = LexicalEncoder(Tokenizer.from_file(str(path)))
    features = []
    for text in standard_library(EXAMPLES):
        parsed = parse(text)
        node = definition(parsed)
        for window in encoder.encode(lexemes_of(parsed, node)) if node is not None else ():
            features.append({"input_ids": window.input_ids, "identifier_ids": window.identifier_ids})
    return Subject(
        name=_name(checkpoint),
        kind="joint",
        model=model,
        tokenizer=tokenizer,
        provenance=_provenance(checkpoint),
        languages=options.languages or ("python",),
        license=options.license,
        labels=tuple(model.config.token_labels),
        window=encoder.window,
        stride=encoder.stride,
        feeds=feeds_of(features, EXAMPLES),
    )


def _common(base: Base, options: Options) -> dict[str, Any]:
    return {
        "name": _name(base.spec),
        "provenance": _provenance(base.spec),
        "languages": options.languages or ("python",),
        "license": options.license if options.license != "unknown" else _license(base.spec),
    }


def _name(checkpoint: str) -> str:
    folder = Path(checkpoint)
    plain = folder.resolve().name if folder.is_dir() else checkpoint
    return _NAME.sub("-", plain).strip("-.")[:80] or "checkpoint"


def _provenance(checkpoint: str) -> dict[str, Any]:
    folder = Path(checkpoint)
    found: dict[str, Any] = {"checkpoint": folder.resolve().name if folder.is_dir() else checkpoint}
    if folder.is_dir():
        weights = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
        found["weights_sha256"] = {path.name: sha256_of(path) for path in weights}
    return found


def _license(checkpoint: str) -> str:
    """What the checkpoint's own card says."""
    path = Path(checkpoint) / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace")[:4000] if path.is_file() else ""
    found = re.search(r"^license:\s*([\w.+-]+)\s*$", text, re.MULTILINE)
    return found.group(1) if found else "unknown"


def _tokenizer(base: Base) -> Tokenizer:
    backend = getattr(base.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ExportError(f"{base.spec}: its tokenizer has no fast form; the server reads nothing but tokenizer.json")
    found = Tokenizer.from_str(backend.to_str())
    found.no_padding()
    found.no_truncation()
    return found
