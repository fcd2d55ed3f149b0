"""Decoder-only graphs against transformers' own ``generate``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM  # noqa: E402  # noqa: E402

from codehunch.inference.causal import Causal  # noqa: E402
from codehunch.inference.decoding import Decoding  # noqa: E402
from codehunch.inference.errors import Cancelled, InferenceError  # noqa: E402
from codehunch_training.export.graphs import export_decoder, export_encoder  # noqa: E402

END = 2
NEW = 16
GROUPED = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 32, "initializer_range": 0.6, "bos_token_id": 1, "eos_token_id": END, "pad_token_id": 0,
}  # fmt: skip
LAYOUTS = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=60, n_embd=16, n_layer=2, n_head=4, n_positions=64, initializer_range=0.6, bos_token_id=1,
            eos_token_id=END, pad_token_id=0,
        )
    ),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**GROUPED)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED)),
}  # fmt: skip
PROMPTS = ([5, 6, 7], [11], [40, 3, 22, 8, 9, 10, 12, 13, 14])


@pytest.fixture(scope="module", params=sorted(LAYOUTS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Causal]:
    torch.manual_seed(3)
    model = LAYOUTS[request.param]().eval()
    path = export_decoder(model, tmp_path_factory.mktemp(request.param))
    return model, Causal(path, (END,), threads=1)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("beams", [1, 3])
def test_tokens_are_the_reference(pair: tuple[object, Causal], prompt: list[int], beams: int) -> None:
    model, causal = pair
    ids = torch.tensor([prompt])
    with torch.no_grad():
        output = model.generate(  # type: ignore[attr-defined]
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, num_beams=beams, do_sample=False
        )
    expected = output[0, len(prompt) :].tolist()
    expected = expected[: expected.index(END)] if END in expected else expected
    assert list(causal.generate(prompt, Decoding(NEW, beams=beams))[0].tokens) == expected


def test_an_answer_can_be_stopped_by_what_it_says(pair: tuple[object, Causal]) -> None:
    _, causal = pair
    for beams in (1, 3):
        decoding = Decoding(NEW, beams=beams, stop=lambda tokens: len(tokens) >= 4)
        for answer in causal.generate(PROMPTS[0], decoding):
            assert len(answer.tokens) <= 4
            assert answer.finished


def test_deadline_and_cancel(pair: tuple[object, Causal]) -> None:
    _, causal = pair
    (late,) = causal.generate(PROMPTS[0], Decoding(NEW, stop=None), deadline=time.monotonic() - 1)
    assert not late.finished
    assert len(late.tokens) <= 1
    with pytest.raises(Cancelled):
        causal.generate(PROMPTS[0], Decoding(NEW), cancelled=lambda: True)


def test_graphs_of_another_task_are_refused(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaForTokenClassification

    config = RobertaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    export_encoder(RobertaForTokenClassification(config), tmp_path / "model.onnx")
    with pytest.raises(InferenceError, match="another task"):
        Causal(tmp_path / "model.onnx", (END,), threads=1)
    with pytest.raises(InferenceError, match="no such graph"):
        Causal(tmp_path / "absent.onnx", (END,), threads=1)
