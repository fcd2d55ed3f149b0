"""The manifest: what is written is read again, and every way of being wrong has its sentence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codehunch.bundles.bundle import Bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME, Manifest, parse_manifest, render_manifest, unsafe_name

RECORD = {"sha256": "0" * 64, "size": 1}


def edit(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set one key, given by its dotted path, in a manifest's tree."""

    def apply(tree: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        for folder in folders:
            tree = tree[folder]
        tree[last] = value

    return apply


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    def apply(tree: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        for folder in folders:
            tree = tree[folder]
        del tree[last]

    return apply


WRONG = [
    (edit("schema", 2), "schema 2, this version reads up to 1; upgrade"),
    (edit("schema", "1"), "`schema` is missing"),
    (drop("schema"), "`schema` is missing"),
    (drop("license"), "missing field `license`"),
    (drop("encoding/kind"), "missing field `encoding.kind`"),
    (edit("colour", 1), "unknown field `colour`"),
    (edit("defects/colour", 1), "unknown field `defects.colour`"),
    (edit("encoding/window", "512"), "`encoding.window`: expected int, found '512'"),
    (edit("encoding/window", True), "`encoding.window`: expected int, found True"),
    (edit("encoding/window", 512.0), "`encoding.window`: expected int, found 512.0"),
    (edit("encoding/stride", 512), "the stride must be smaller than the window"),
    (edit("encoding", 3), "`encoding`: expected an object, found 3"),
    (edit("encoding/kind", "bytes"), "`encoding.kind`: expected 'lexical' or 'text', found 'bytes'"),
    (edit("encoding/tokenizer", "other.json"), "`files` does not list 'other.json'"),
    (edit("task", "poetry"), "`task`: expected 'defects' or 'generation'"),
    (edit("task", "generation"), "exactly `generation` must be filled in"),
    (edit("defects", None), "exactly `defects` must be filled in"),
    (edit("defects/labels", "clean"), "`defects.labels`: expected a list"),
    (edit("defects/labels", []), "has no labels"),
    (edit("defects/labels", ["variable-misuse", "clean"]), "the first label must be 'clean'"),
    (edit("defects/temperature", 0), "temperature must be positive"),
    (edit("defects/temperature", None), "`defects.temperature`: expected float, found None"),
    (drop("defects/thresholds/medium"), "`defects.thresholds` lacks medium"),
    (edit("defects/graph", "../model.onnx"), "`files` does not list"),
    (edit("languages", [1]), "`languages`: expected str, found 1"),
    (edit("id", "../../etc"), "`id` must be letters"),
    (edit("version", ""), "`version` must be letters"),
    (edit("files", []), "`files`: expected an object"),
    (edit("files/model.onnx/size", -1), "needs a SHA-256"),
    (edit("files/model.onnx/sha256", "abc"), "needs a SHA-256"),
    (edit("files/model.onnx/size", None), "`files.model.onnx.size`: expected int"),
    (lambda tree: tree["files"].update({"../x.onnx": RECORD}), "'../x.onnx' leads out of the bundle"),
    (lambda tree: tree["files"].update({"/x.onnx": RECORD}), "'/x.onnx' leads out of the bundle"),
    (lambda tree: tree["files"].update({"a/../../x.onnx": RECORD}), "leads out of the bundle"),
    (lambda tree: tree["files"].update({"weights.pkl": RECORD}), "is not a kind of file a bundle may hold"),
    (lambda tree: tree["files"].update({MANIFEST_NAME: RECORD}), "lists itself"),
]


@pytest.fixture
def tree(make: Callable[..., Bundle]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((make().path / MANIFEST_NAME).read_bytes())
    return loaded


@pytest.mark.parametrize(("change", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_wrong_manifest_has_its_sentence(
    tree: dict[str, Any], change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    change(tree)
    with pytest.raises(BundleError) as caught:
        parse_manifest(json.dumps(tree).encode(), Path("some/manifest.json"))
    message = str(caught.value)
    assert sentence in message
    assert message.startswith("some/manifest.json: ")
    assert "\n" not in message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"schema": 1', b"\xff\xfe", b"[1]", b"null", b'{"schema": NaN}', b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(data, "m.json")
    assert str(caught.value).startswith("m.json: ")
    assert "\n" not in str(caught.value)


def test_every_prefix_of_a_manifest_is_refused(tree: dict[str, Any]) -> None:
    data = json.dumps(tree).encode()
    for length in range(0, len(data), 37):
        with pytest.raises(BundleError):
            parse_manifest(data[:length], "m.json")


@pytest.mark.parametrize("task", ["defects", "generation"])
def test_what_is_written_is_read_again(make: Callable[..., Bundle], task: str) -> None:
    manifest = make(task=task).manifest
    assert parse_manifest(render_manifest(manifest), "m.json") == manifest


def test_whole_numbers_are_read_as_floats(tree: dict[str, Any]) -> None:
    tree["defects"]["temperature"] = 2
    defects = parse_manifest(json.dumps(tree).encode(), "m.json").defects
    assert defects is not None
    assert isinstance(defects.temperature, float)


def test_a_number_beyond_all_floats_is_refused(tree: dict[str, Any]) -> None:
    data = json.dumps(tree).replace('"temperature": 1.5', '"temperature": 1e999').encode()
    with pytest.raises(BundleError, match=r"`defects\.temperature`: expected a finite number, found inf"):
        parse_manifest(data, "m.json")


def test_a_manifest_that_could_not_be_read_is_not_written(make: Callable[..., Bundle]) -> None:
    with pytest.raises(BundleError, match="`id` must be letters"):
        render_manifest(attrs.evolve(make().manifest, id="two words"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [field.name for field in attrs.fields(Manifest)]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_gives_a_manifest_or_a_bundle_error(changes: dict[str, Any]) -> None:
    tree = {"schema": 1, **changes}
    with contextlib.suppress(BundleError):
        parse_manifest(json.dumps(tree).encode(), "m.json")


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("model.onnx", True),
        ("onnx/model.onnx_data", True),
        ("LICENSE", True),
        ("model card.md", True),
        ("", False),
        (".", False),
        ("..", False),
        ("a//b.onnx", False),
        ("./a.onnx", False),
        ("a/", False),
        ("a\\b.onnx", False),
        ("c:model.onnx", False),
        ("a\0.onnx", False),
        ("weights.bin", False),
        ("run.py", False),
        ("RUN.PY", False),
    ],
)
def test_names_inside_a_bundle(name: str, fine: bool) -> None:
    assert (unsafe_name(name) is None) == fine
