"""A bundle's folder: presence, sizes, hashes, links."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from codehunch.bundles.bundle import Bundle, load_bundle, sha256_of, write_bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES

Make = Callable[..., Bundle]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def replace_by_link(path: Path) -> None:
    other = path.with_name("elsewhere")
    path.rename(other)
    path.symlink_to(other)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BROKEN = [
    ("model.onnx", Path.unlink, "model.onnx: is missing"),
    ("model.onnx", truncate, "model.onnx: is 999 bytes long, the manifest says 1000"),
    ("model.onnx", replace_by_link, "model.onnx: is a link"),
    ("model.onnx", replace_by_folder, "model.onnx: is missing"),
    (MANIFEST_NAME, Path.unlink, "manifest.json: is missing"),
    (MANIFEST_NAME, lambda path: path.write_bytes(path.read_bytes()[:200]), "manifest.json: not complete JSON"),
    (MANIFEST_NAME, lambda path: path.write_bytes(b" " * (MAX_MANIFEST_BYTES + 1)), "is too large for a manifest"),
    (MANIFEST_NAME, replace_by_link, "manifest.json: is a link"),
]


@pytest.mark.parametrize(("name", "damage", "sentence"), BROKEN, ids=[sentence for *_, sentence in BROKEN])
def test_a_damaged_folder_is_refused(make: Make, name: str, damage: Callable[[Path], object], sentence: str) -> None:
    folder = make().path
    damage(folder / name)
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, "get another")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    assert str(caught.value).endswith("; get another")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle folder"):
        load_bundle(tmp_path / "nowhere")


def test_a_flipped_bit_is_found_by_verify(make: Make) -> None:
    bundle = make()
    data = bytearray((bundle.path / "model.onnx").read_bytes())
    data[500] ^= 1
    (bundle.path / "model.onnx").write_bytes(data)
    loaded = load_bundle(bundle.path)  # the size is right
    with pytest.raises(BundleError, match=r"model\.onnx: its SHA-256 is not the one in the manifest"):
        loaded.verify()


def test_a_linked_folder_inside_a_bundle_is_refused(make: Make, tmp_path: Path) -> None:
    folder = make().path
    (folder / "onnx").mkdir()
    (folder / "onnx" / "more.onnx").write_text("x")
    manifest = write_bundle(folder, load_bundle(folder).manifest).manifest
    assert "onnx/more.onnx" in manifest.files
    (folder / "onnx").rename(tmp_path / "onnx")
    (folder / "onnx").symlink_to(tmp_path / "onnx")
    with pytest.raises(BundleError, match="onnx: is a link"):
        load_bundle(folder)


def test_writing_hashes_what_lies_there(make: Make) -> None:
    bundle = make()
    record = bundle.manifest.files["model.onnx"]
    assert (record.size, record.sha256) == (1000, sha256_of(bundle.file("model.onnx")))
    assert set(bundle.manifest.files) == {"model.onnx", "tokenizer.json"}
    assert bundle.size == 1002
    bundle.verify()
    with pytest.raises(KeyError):
        bundle.file("../model.onnx")


@pytest.mark.parametrize(
    ("name", "sentence"), [("weights.pkl", "is not a kind of file"), ("sub/train.py", "is not a kind of file")]
)
def test_writing_refuses_what_could_hold_code(make: Make, name: str, sentence: str) -> None:
    bundle = make()
    (bundle.path / name).parent.mkdir(exist_ok=True)
    (bundle.path / name).write_text("x")
    with pytest.raises(BundleError, match=sentence):
        write_bundle(bundle.path, bundle.manifest)


def test_writing_refuses_links_and_leaves_hidden_files_out(make: Make, tmp_path: Path) -> None:
    bundle = make()
    (bundle.path / ".cache").mkdir()
    (bundle.path / ".cache" / "x.pkl").write_text("x")
    assert set(write_bundle(bundle.path, bundle.manifest).manifest.files) == {"model.onnx", "tokenizer.json"}
    (bundle.path / "more.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"more\.json: is a link"):
        write_bundle(bundle.path, bundle.manifest)


def test_writing_needs_the_files_the_manifest_names(make: Make) -> None:
    bundle = make()
    before = (bundle.path / MANIFEST_NAME).read_bytes()
    os.remove(bundle.path / "model.onnx")
    with pytest.raises(BundleError, match=r"does not list 'model\.onnx'"):
        write_bundle(bundle.path, bundle.manifest)
    assert (bundle.path / MANIFEST_NAME).read_bytes() == before


def test_the_error_survives_a_process_border() -> None:
    error = BundleError(Path("a\nb"), "is\nbroken", "get another")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a b: is broken; get another"
    assert again.remedy == "get another"
