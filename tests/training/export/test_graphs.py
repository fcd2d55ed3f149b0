"""ONNX graphs of every kind of model against PyTorch, and what the graphs say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("optimum.exporters.onnx", reason="needs the train extra")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from transformers import (  # noqa: E402
    BertConfig,
    EncoderDecoderModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForCausalLM,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
)

from codehunch.inference.decoding import Decoding  # noqa: E402
from codehunch.inference.seq2seq import Graphs, Seq2Seq  # noqa: E402
from codehunch_training.export.graphs import (  # noqa: E402
    OPSET,
    checked,
    export_embedder,
    export_encoder,
    export_encoder_decoder,
)
from codehunch_training.models.embedding import pool  # noqa: E402
from codehunch_training.models.encoder import DefectConfig, DefectModel  # noqa: E402

SIZES = {
    "vocab_size": 80, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 70, "pad_token_id": 1, "initializer_range": 0.4,
}  # fmt: skip
START, END, NEW = 0, 2, 14


def roberta(**more: object) -> RobertaConfig:
    return RobertaConfig(**SIZES, type_vocab_size=1, bos_token_id=START, eos_token_id=END, **more)


MODELS = {
    "sequence": lambda: RobertaForSequenceClassification(roberta(num_labels=3)),
    "token": lambda: RobertaForTokenClassification(roberta(num_labels=3)),
    "modern": lambda: ModernBertForSequenceClassification(
        ModernBertConfig(**{**SIZES, "num_hidden_layers": 3}, reference_compile=False, local_attention=8)
    ),
    "joint": lambda: DefectModel(
        DefectConfig(
            80, 32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, token_labels=["clean", "a"]
        )
    ),
}


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_every_head_of_an_encoder_at_any_length(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    names = export_encoder(model, tmp_path / "model.onnx")
    assert names == (("logits", "token_logits") if kind == "joint" else ("logits",))
    facts = checked(tmp_path / "model.onnx")
    assert facts["opset"] == {"ai.onnx": OPSET}
    assert facts["ir"] >= 8
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    inputs = [node.name for node in session.get_inputs()]
    for batch, length in ((1, 3), (3, 11), (2, 40)):
        ids = torch.randint(3, 80, (batch, length))
        feed = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "identifier_ids": ids % 7}
        feed["attention_mask"][-1, length // 2 :] = 0
        with torch.inference_mode():
            expected = model(**{name: feed[name] for name in inputs})
        found = session.run(list(names), {name: feed[name].numpy() for name in inputs})
        for name, value in zip(names, found, strict=True):
            real = feed["attention_mask"].bool() if value.ndim == 3 else slice(None)
            assert np.abs(expected[name].numpy()[real] - value[real]).max() < 1e-3


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_text_as_one_vector(pooling: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = RobertaModel(roberta()).eval()
    export_embedder(model, pooling, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    ids, mask = torch.randint(3, 80, (2, 12)), torch.ones((2, 12), dtype=torch.int64)
    mask[1, 7:] = 0
    with torch.inference_mode():
        expected = pool(model(input_ids=ids, attention_mask=mask)[0], mask, pooling).numpy()
    (found,) = session.run(["embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    assert np.abs(expected - found).max() < 1e-4
    assert np.abs(np.linalg.norm(found, axis=-1) - 1).max() < 1e-5


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[PreTrainedModel, Seq2Seq]:
    """Two RoBERTas: what CodeBERT becomes when it is given a decoder."""
    torch.manual_seed(1)
    decoder = RobertaForCausalLM(roberta(is_decoder=True, add_cross_attention=True))
    model = EncoderDecoderModel(encoder=RobertaModel(roberta()), decoder=decoder).eval()
    paths = export_encoder_decoder(model, tmp_path_factory.mktemp("pair"))
    graphs = Graphs(paths["encoder"], paths["decoder"], paths["decoder_with_past"], START, END)
    return model, Seq2Seq(graphs, threads=1)


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("length", [2, 9, 33])
def test_a_roberta_decoder_with_a_cache_writes_the_same_tokens(
    pair: tuple[PreTrainedModel, Seq2Seq], length: int, beams: int
) -> None:
    model, graphs = pair
    ids = torch.randint(3, 80, (1, length), generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, num_beams=beams, do_sample=False,
            decoder_start_token_id=START, eos_token_id=END, pad_token_id=1,
        )  # fmt: skip
    expected = output[0, 1:].tolist()
    expected = expected[: expected.index(END)] if END in expected else expected
    assert list(graphs.generate(ids[0].tolist(), Decoding(NEW, beams=beams))[0].tokens) == expected


def test_a_decoder_that_does_not_look_at_the_prompt_is_refused(tmp_path: Path) -> None:
    config = BertConfig(**SIZES, is_decoder=True)
    model = EncoderDecoderModel(encoder=RobertaModel(roberta()), decoder=RobertaForCausalLM(roberta(is_decoder=True)))
    model.config.decoder.add_cross_attention = False
    assert config.is_decoder
    with pytest.raises(ValueError, match="no cross-attention"):
        export_encoder_decoder(model, tmp_path)


def test_matrices_keep_their_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MODELS["joint"]().eval()
    export_encoder(model, tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    names = {tensor.name for tensor in graph.graph.initializer}
    wanted = {name for name, parameter in model.named_parameters() if parameter.ndim == 2}
    assert wanted <= names


def test_what_is_no_graph_is_named(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Mood", ["x"], ["y"])
    places = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", places[:1], places[1:])), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"m\.onnx: not a valid graph.*Mood"):
        checked(tmp_path / "m.onnx")
