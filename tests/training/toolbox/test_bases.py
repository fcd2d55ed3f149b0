"""Bases: every layout loads as transformers itself loads it, and what does not fit is told with a way out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BartConfig,
    BartModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2Model,
    PLBartConfig,
    PLBartModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from codehunch_training.bases import BaseError, load_base
from codehunch_training.recipe import Recipe, with_overrides
from codehunch_training.tasks import TASKS
from codehunch_training.tasks.windows import encode_text

CODE = "def add(left, right):\n    return left + right  # größer 和\n"
SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def byte_level(folder: Path, codebert: Path) -> int:
    """The tokenizer of CodeBERT's layout; returns its size."""
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(codebert / name, folder / name)
    return len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))


def wordpiece(folder: Path) -> int:
    """BERT's vocabulary, with Chinese characters, as bert-base-chinese and mBERT have it."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz()+:,#_和大于"]
    words += [f"##{char}" for char in "abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return len(words)


def unigram(folder: Path, names: tuple[str, ...], extra: dict[str, Any]) -> int:
    """SentencePiece's kind of vocabulary, as XLM-R, T5 and PLBART have it."""
    pieces = [(name, 0.0) for name in names] + [(char, -5.0) for char in "▁abcdefghijklmnopqrstuvwxyz()+:,#和größe"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=names.index("<unk>")))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    if "<s>" in names:
        ids = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
        tokenizer.post_processor = processors.RobertaProcessing(ids[0], ids[1])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **extra).save_pretrained(folder)
    return len(pieces)


XLMR = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
ROBERTA_NAMES = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
    "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip


def roberta(folder: Path, codebert: Path) -> PreTrainedModel:
    size = byte_level(folder, codebert)
    config = RobertaConfig(vocab_size=size, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **SIZES)
    return RobertaForMaskedLM(config)  # GraphCodeBERT's checkpoint has the head, CodeBERT's has not.


def bert(folder: Path, codebert: Path) -> PreTrainedModel:
    return BertModel(BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=64, **SIZES))


def bert_masked(folder: Path, codebert: Path) -> PreTrainedModel:
    return BertForMaskedLM(BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=64, **SIZES))


def xlmr(folder: Path, codebert: Path) -> PreTrainedModel:
    size = unigram(folder, XLMR, ROBERTA_NAMES)
    return XLMRobertaModel(XLMRobertaConfig(vocab_size=size, max_position_embeddings=66, pad_token_id=1, **SIZES))


def t5(folder: Path, codebert: Path) -> PreTrainedModel:
    size = unigram(
        folder, ("<pad>", "</s>", "<unk>"), {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    )
    return T5Model(T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2))


def codet5(folder: Path, codebert: Path) -> PreTrainedModel:
    size = byte_level(folder, codebert)  # T5's body with RoBERTa's tokenizer.
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer"}))
    return T5Model(T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=1))


def gpt2(folder: Path, codebert: Path) -> PreTrainedModel:
    size = byte_level(folder, codebert)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"})
    )
    return GPT2Model(GPT2Config(vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=64))


def bart(folder: Path, codebert: Path) -> PreTrainedModel:
    size = byte_level(folder, codebert)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BartTokenizer"}))
    sides = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in (
        ("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))}  # fmt: skip
    return BartModel(BartConfig(vocab_size=size, d_model=16, max_position_embeddings=64, **sides))


def plbart(folder: Path, codebert: Path) -> PreTrainedModel:
    size = unigram(folder, XLMR, ROBERTA_NAMES)
    sides = {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in (
        ("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))}  # fmt: skip
    return PLBartModel(PLBartConfig(vocab_size=size, d_model=16, max_position_embeddings=64, **sides))


LAYOUTS: list[tuple[Callable[[Path, Path], PreTrainedModel], str, int]] = [
    (roberta, "encoder", 64),
    (bert, "encoder", 64),
    (bert_masked, "encoder", 64),
    (xlmr, "encoder", 64),
    (t5, "seq2seq", 1 << 30),
    (codet5, "seq2seq", 1 << 30),
    (gpt2, "causal", 64),
    (bart, "seq2seq", 64),
    (plbart, "seq2seq", 64),
]


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(("make", "family", "limit"), LAYOUTS, ids=[row[0].__name__ for row in LAYOUTS])
def test_hidden_states_are_transformers_own(
    make: Callable[[Path, Path], PreTrainedModel], family: str, limit: int, weights: str, tmp_path: Path, codebert: Path
) -> None:
    torch.manual_seed(0)
    model = make(tmp_path, codebert).eval()
    model.save_pretrained(tmp_path, safe_serialization=weights.endswith("safetensors"))
    assert (tmp_path / weights).is_file()
    base = load_base(str(tmp_path))
    assert (base.family, base.limit) == (family, limit)
    task = TASKS["classify"]()
    if family != "seq2seq" or base.kind != "plbart":
        task.check_base(base)
    batch = base.tokenizer([CODE, "def f"], padding=True, return_tensors="pt")
    assert int(batch["attention_mask"][1].sum()) < batch["attention_mask"].shape[1]
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    if family == "seq2seq":
        inputs["decoder_input_ids"] = batch["input_ids"]
    loaded = base.model(AutoModel).eval()
    reference = AutoModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        states = loaded(**inputs).last_hidden_state
        assert torch.equal(states, reference(**inputs).last_hidden_state)
        # What stands in the padding changes nothing.
        alone = {name: value[1:, : int(batch["attention_mask"][1].sum())] for name, value in inputs.items()}
        own = loaded(**alone).last_hidden_state
    if family != "seq2seq":
        assert torch.allclose(own[0], states[1, : own.shape[1]], atol=1e-5)


def test_the_head_is_new_and_the_body_is_not(codebert: Path) -> None:
    base = load_base(str(codebert))
    model = base.model(AutoModelForSequenceClassification, num_labels=3)
    kept = load_file(codebert / "model.safetensors")
    for name, value in model.roberta.state_dict().items():
        if "position_ids" not in name and "token_type_ids" not in name:
            assert torch.equal(value, kept[name]), name


def test_special_tokens_and_positions(codebert: Path) -> None:
    base = load_base(str(codebert))
    window = encode_text(base.tokenizer, "a" * 2000, None, min(512, base.limit), Recipe())[0]["input_ids"]
    assert (window[0], window[-1]) == (base.tokenizer.bos_token_id, base.tokenizer.eos_token_id)
    pair = encode_text(base.tokenizer, "a", "b", 64, Recipe())[0]["input_ids"]
    assert pair.count(base.tokenizer.eos_token_id) == 3  # <s> a </s></s> b </s>
    model = base.model(AutoModel).eval()
    assert len(window) == base.limit == 192
    model(input_ids=torch.tensor([window]))  # RoBERTa's ids begin at pad + 1: one more token would be out of range.
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.tensor([[5] * (base.limit + 1)]))


def test_a_special_token_in_the_source_is_text(codebert: Path) -> None:
    base = load_base(str(codebert))
    ids = encode_text(base.tokenizer, "x = '</s>'", None, 64, Recipe())[0]["input_ids"]
    assert ids.count(base.tokenizer.eos_token_id) == 1


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {key: value for key, value in state.items() if key != name}


def _with(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {**state, name: torch.zeros(3)}


def _reshaped(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {**state, name: torch.zeros(5, 5)}


LAYER = "encoder.layer.1.attention.self.query.weight"
CHANGED = [
    (_without(LAYER), "lacks 1 weight"),
    (_without("embeddings.word_embeddings.weight"), "lacks 1 weight"),
    (_with("encoder.layer.7.attention.self.query.weight"), "and the model does not"),
    (_reshaped(LAYER), "in another shape"),
]


@pytest.mark.parametrize(("change", "told"), CHANGED)
def test_keys_of_the_body_are_checked(
    change: Callable[[dict[str, Any]], dict[str, Any]], told: str, tmp_path: Path, codebert: Path
) -> None:
    shutil.copytree(codebert, tmp_path / "base")
    path = tmp_path / "base" / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    with pytest.raises(BaseError, match=told):
        load_base(str(tmp_path / "base")).model(AutoModelForSequenceClassification)


class _Evil:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path(self.mark).touch, ()


def test_a_pickle_is_read_as_weights_only(tmp_path: Path, codebert: Path) -> None:
    shutil.copytree(codebert, tmp_path / "base")
    (tmp_path / "base" / "model.safetensors").unlink()
    mark = tmp_path / "ran"
    torch.save({"x": _Evil(str(mark))}, tmp_path / "base" / "pytorch_model.bin")
    with pytest.raises(BaseError, match="weights cannot be read"):
        load_base(str(tmp_path / "base")).model(AutoModel)
    assert not mark.exists()


def _edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))

    return apply


BROKEN: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
    (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
    (lambda folder: (folder / "vocab.json").unlink(), "tokenizer cannot be read"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100), "weights cannot be read"),
    (_edit(lambda config: config.update(model_type="nonsense")), "nonsense"),
    (_edit(lambda config: config.update(pad_token_id=0)), "position ids would be wrong"),
    (_edit(lambda config: config.update(vocab_size=100)), "do not belong together"),
]


@pytest.mark.parametrize(("spoil", "told"), BROKEN)
def test_broken_folders(spoil: Callable[[Path], None], told: str, tmp_path: Path, codebert: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(codebert, folder)
    spoil(folder)
    with pytest.raises(BaseError, match=told):
        load_base(str(folder)).model(AutoModelForSequenceClassification)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("./nowhere", "no such folder"),
        ("", "no such folder"),
        ("new:gpt5", "choose from new:roberta"),
        ("new:roberta:/nowhere", "no tokenizer.json"),
        ("new:roberta", "no text to learn a vocabulary from"),
    ],
)
def test_unknown_bases(spec: str, told: str) -> None:
    with pytest.raises(BaseError, match=told):
        load_base(spec)


def test_a_hub_that_cannot_be_reached_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(BaseError, match=r"the hub cannot be reached .*name a folder"):
        load_base("nobody/nothing")


MISFITS = [
    ("generation", "new:gpt2", "encoder-decoder such as"),
    ("causal", "new:roberta", "decoder such as"),
    ("pretrain", "new:t5", "encoder such as"),
    ("defects", "new:gpt2", "encoder such as"),
    ("tokens", "new:bart", "has no token head"),
    ("tokens", "new:ngrams", "is a bag of n-grams .* tokens needs"),
    ("defects", "new:ngrams", "encoder such as"),
    ("pretrain", "new:ngrams", "encoder such as"),
    ("search", "new:ngrams", "encoder such as"),
    ("generation", "new:ngrams", "encoder-decoder such as"),
    ("causal", "new:ngrams", "decoder such as"),
]


@pytest.mark.parametrize(("task", "spec", "told"), MISFITS)
def test_a_base_that_does_not_fit_says_what_does(task: str, spec: str, told: str) -> None:
    recipe = with_overrides(Recipe(), ["model.vocabulary=300", "model.hidden_size=16", "model.heads=2"])
    base = load_base(spec, recipe, [CODE])
    with pytest.raises(BaseError, match=told):
        TASKS[task]().check_base(base)


@pytest.mark.parametrize("body", ["roberta", "modern", "t5", "bart", "gpt2"])
def test_new_bodies(body: str, tmp_path: Path) -> None:
    """A learned vocabulary covers any text, and a saved body loads again as a checkpoint."""
    recipe = with_overrides(
        Recipe(), ["model.vocabulary=300", "model.hidden_size=16", "model.heads=2", "model.layers=1"]
    )
    base = load_base(f"new:{body}", recipe, [CODE] * 3)
    ids = base.tokenizer(CODE)["input_ids"]
    assert base.tokenizer.decode(ids, skip_special_tokens=True) == CODE
    model = base.model(AutoModel)
    model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    again = load_base(str(tmp_path))
    assert again.tokenizer(CODE)["input_ids"] == ids == AutoTokenizer.from_pretrained(tmp_path)(CODE)["input_ids"]
    for name, value in again.model(AutoModel).state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_a_collapsing_vocabulary_reads_layout_as_one_space() -> None:
    recipe = with_overrides(Recipe(), ["model.vocabulary=300", "model.whitespace=collapse"])
    tokenizer = load_base("new:roberta", recipe, [CODE]).tokenizer
    assert tokenizer("a\n\n\t b")["input_ids"] == tokenizer("a b")["input_ids"]
    assert tokenizer("a\n\n  b", return_offsets_mapping=True)["offset_mapping"][-2][1] == 6


@pytest.mark.slow
def test_the_real_tokenizer_of_roberta(codebert: Path, tmp_path: Path) -> None:
    """CodeBERT's own vocabulary, where ROBERTA_TOKENIZER names its folder: ids as published."""
    if not os.environ.get("ROBERTA_TOKENIZER"):
        pytest.skip("set ROBERTA_TOKENIZER to the folder with RoBERTa's vocab.json and merges.txt")
    real = Path(os.environ["ROBERTA_TOKENIZER"])
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(real / name, tmp_path / name)
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, **SIZES)
    RobertaForMaskedLM(config).save_pretrained(tmp_path, safe_serialization=False)
    base = load_base(str(tmp_path))
    assert (base.limit, base.tokenizer.pad_token_id, base.tokenizer.mask_token_id) == (512, 1, 50264)
    assert base.tokenizer("Hello world")["input_ids"] == [0, 31414, 232, 2]
    base.model(AutoModelForSequenceClassification)
