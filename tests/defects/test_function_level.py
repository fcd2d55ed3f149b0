"""A two-class model of whole functions, in another language, serves through the same detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from codehunch.bundles.bundle import Bundle, write_bundle
from codehunch.bundles.manifest import DefectSpec, InputSpec, Manifest
from codehunch.defects.detector import CheckOptions, Detector
from codehunch.syntax.text import SourceText

WORDS = ["<s>", "</s>", "<unk>", "strcpy", "strncpy", "return", "int", "buffer"]
SOURCE = """int copy(char *to, const char *from) {
    strcpy(to, from);
    return 0;
}

static int safe(char *to, const char *from) {
    strncpy(to, from, 8);
    return 0;
}
"""


def make_bundle(folder: Path, labels: tuple[str, ...], window: int = 64) -> Bundle:
    """A linear bag-of-words model in which only ``strcpy`` is bad, as a bundle for C."""
    folder.mkdir()
    vocabulary = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    vocabulary.pre_tokenizer = pre_tokenizers.Whitespace()
    vocabulary.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=False)
    vocabulary.save(str(folder / "tokenizer.json"))
    weights = np.zeros((len(WORDS), len(labels)), dtype=np.float32)
    weights[:, 0] = 0.2
    weights[WORDS.index("strcpy"), -1] = 80.0
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["scores"]),
            helper.make_node("ReduceMean", ["scores"], ["logits"], axes=[1], keepdims=0),
        ],
        "bag-of-words",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(labels)])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )
    manifest = Manifest(
        id="bag-of-words-c",
        version="1",
        task="defects",
        languages=("c",),
        created="2026-01-01T00:00:00Z",
        license="Apache-2.0",
        encoding=InputSpec(kind="text", window=window, stride=window // 4),
        defects=DefectSpec(
            labels=(),
            sequence_labels=labels,
            token_head=False,
            temperature=1.0,
            thresholds={"low": 0.9, "medium": 0.6, "high": 0.4},
            alarms_per_kloc={},
        ),
    )
    return write_bundle(folder, manifest)


def test_the_functions_name_carries_the_finding(tmp_path: Path) -> None:
    detector = Detector(make_bundle(tmp_path / "b", ("clean", "defective")))
    for _ in range(2):  # The second time out of the cache.
        (finding,) = detector.check(SourceText(SOURCE), "c")
        assert (finding.code, finding.function, finding.span.of(SOURCE)) == ("CH100", "copy", "copy")
        assert finding.confidence > 0.6
    assert detector.check(SourceText(SOURCE), "python") == ()
    assert detector.check(SourceText(SOURCE), "c", CheckOptions(ignore=("ch100",))) == ()


@pytest.mark.parametrize(
    ("label", "message"),
    [("vulnerable", "`copy` reads as defective"), ("CWE-120", "`copy` reads as defective (CWE-120)")],
)
def test_a_label_of_the_models_own_is_told(tmp_path: Path, label: str, message: str) -> None:
    (finding,) = Detector(make_bundle(tmp_path / "b", ("clean", label))).check(SourceText(SOURCE), "c")
    assert finding.message == message


def test_the_end_of_a_long_function_counts(tmp_path: Path) -> None:
    text = "int copy(char *to) {\n" + "    int buffer;\n" * 500 + "    strcpy(to, to);\n}\n"
    (finding,) = Detector(make_bundle(tmp_path / "b", ("clean", "defective"))).check(SourceText(text), "c")
    assert finding.function == "copy"
