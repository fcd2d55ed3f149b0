"""Decoding over exported graphs gives the very tokens transformers gives."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
transformers = pytest.importorskip("transformers", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

from codehunch.inference.decoding import Answer, Decoding, looping  # noqa: E402
from codehunch.inference.errors import Cancelled, InferenceError  # noqa: E402
from codehunch.inference.seq2seq import Graphs, Seq2Seq  # noqa: E402

VOCABULARY, MAX_NEW = 120, 24
PROMPTS = ([5, 9, 33, 2], [7, 7, 7, 50, 51, 52, 53, 2], [101, 2], [60, 61, 17, 18, 19, 3, 4, 90, 91, 2])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Seq2Seq]:
    """A random T5 and its fp32 graphs. The end token is one the model really says, so that sequences end."""
    from codehunch_training.export.generation import graphs_in, greedy_torch, to_onnx

    torch.set_num_threads(1)  # On a busy machine its threads wait for each other longer than they work.
    config = transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_heads=4,
        num_layers=2,
        num_decoder_layers=2,
        feed_forward_proj="gated-silu",
        dropout_rate=0.0,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    for seed in range(100):
        torch.manual_seed(seed)
        model = transformers.T5ForConditionalGeneration(config).eval()
        said = greedy_torch(model, PROMPTS[1], MAX_NEW)
        late = [token for index, token in enumerate(said) if index >= 4 and token not in said[:index]]
        if late:  # Most random models repeat themselves from the start.
            break
    end = late[0]
    model.config.eos_token_id = model.generation_config.eos_token_id = end
    folder = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(folder / "model")
    to_onnx(folder / "model", folder / "onnx")
    return model, Seq2Seq(graphs_in(folder / "onnx", 0, end), threads=1)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_is_the_reference(tiny: tuple[object, Seq2Seq], prompt: list[int]) -> None:
    from codehunch_training.export.generation import greedy_torch

    model, graphs = tiny
    (answer,) = graphs.generate(prompt, Decoding(max_new=MAX_NEW))
    assert list(answer.tokens) == greedy_torch(model, prompt, MAX_NEW)
    assert 0 < answer.confidence < 1


@pytest.mark.parametrize("beams", [2, 4])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 1.4])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_beams_are_the_reference(tiny: tuple[object, Seq2Seq], prompt: list[int], beams: int, penalty: float) -> None:
    model, graphs = tiny
    ids = torch.tensor([prompt])
    expected = model.generate(  # type: ignore[attr-defined]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=MAX_NEW,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=penalty,
        early_stopping=False,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    answers = graphs.generate(prompt, Decoding(max_new=MAX_NEW, beams=beams, length_penalty=penalty))
    end = model.config.eos_token_id  # type: ignore[attr-defined]
    wanted = []
    for row in expected.sequences[:, 1:].tolist():
        row = row[: row.index(end)] if end in row else row
        while len(row) < MAX_NEW and row and row[-1] == 0:
            row.pop()
        wanted.append(tuple(row))
    assert [answer.tokens for answer in answers] == wanted
    scores = [a.log_probability / (len(a.tokens) + a.finished) ** penalty for a in answers]
    np.testing.assert_allclose(scores, expected.sequences_scores.tolist(), rtol=1e-4)


def test_samples_follow_their_seed(tiny: tuple[object, Seq2Seq]) -> None:
    _, graphs = tiny
    decoding = Decoding(max_new=8, beams=3, sample=True, temperature=1.2, top_p=0.9, seed=5)
    first = graphs.generate(PROMPTS[0], decoding)
    assert first == graphs.generate(PROMPTS[0], decoding)
    assert first != graphs.generate(PROMPTS[0], Decoding(max_new=8, beams=3, sample=True, top_p=0.9, seed=6))
    nearly_greedy = Decoding(max_new=8, beams=2, sample=True, top_p=1e-6)
    greedy = graphs.generate(PROMPTS[0], Decoding(max_new=8))[0].tokens
    assert {answer.tokens for answer in graphs.generate(PROMPTS[0], nearly_greedy)} == {greedy}


def test_a_deadline_returns_what_is_there(tiny: tuple[object, Seq2Seq]) -> None:
    _, graphs = tiny
    for beams in (1, 3):
        answers = graphs.generate(PROMPTS[1], Decoding(max_new=MAX_NEW, beams=beams), deadline=time.monotonic())
        assert len(answers) == beams
        assert all(len(answer.tokens) + answer.finished <= 1 for answer in answers)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_cancel_is_seen_between_steps(tiny: tuple[object, Seq2Seq], beams: int) -> None:
    _, graphs = tiny
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        graphs.generate(PROMPTS[1], Decoding(max_new=MAX_NEW, beams=beams), cancelled=cancelled)
    assert len(asked) == 3


def test_graphs_of_another_task_are_refused(tiny: tuple[object, Seq2Seq]) -> None:
    _, graphs = tiny
    good = graphs._graphs
    with pytest.raises(InferenceError, match="encoder_hidden_states"):
        Seq2Seq(Graphs(good.encoder, good.encoder, good.decoder_with_past, 0, 1), threads=1)
    with pytest.raises(InferenceError, match="no such graph"):
        Seq2Seq(Graphs(Path("absent.onnx"), good.decoder, good.decoder_with_past, 0, 1), threads=1)


@pytest.mark.parametrize(
    ("tokens", "banned"),
    [
        ([], None),
        ([1, 2, 3, 4], None),
        ([9, 9, 9], None),
        ([9, 9, 9, 9], 9),
        ([1, 2, 1, 2, 1, 2], None),
        ([1, 2, 1, 2, 1, 2, 1, 2], 1),
        ([5, 1, 2, 3, 4, 1, 2, 3, 4], 1),
        ([5, 1, 2, 3, 4, 1, 2, 3, 9], None),
    ],
)
def test_loops_are_seen(tokens: list[int], banned: int | None) -> None:
    assert looping(tokens) == banned


def test_confidence_is_a_geometric_mean() -> None:
    answer = Answer((4, 5, 6), 4 * float(np.log(0.5)), finished=True)
    assert answer.confidence == pytest.approx(0.5)
