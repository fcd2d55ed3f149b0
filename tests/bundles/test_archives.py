"""Archives: what `export` writes `install` reads, and what a stranger wrote is not trusted."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codehunch.bundles import sources, store
from codehunch.bundles.archives import write_archive
from codehunch.bundles.bundle import Bundle
from codehunch.bundles.errors import BundleError
from codehunch.bundles.manifest import MANIFEST_NAME

Make = Callable[..., Bundle]
Members = list[tuple[str, bytes]]


def members(bundle: Bundle, prefix: str = "") -> Members:
    return [(prefix + name, (bundle.path / name).read_bytes()) for name in (*bundle.manifest.files, MANIFEST_NAME)]


def tar(path: Path, contents: Members, special: list[tarfile.TarInfo] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info in special or []:
            archive.addfile(info)
        for name, data in contents:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, contents: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["b.tar.gz", "b.tgz", "b.tar", "b.zip"])
def test_an_exported_bundle_installs(home: Path, make: Make, tmp_path: Path, name: str) -> None:
    bundle = make()
    out = write_archive(bundle, tmp_path / name)
    installed = store.install(out)
    installed.verify()
    assert installed.manifest == bundle.manifest
    assert not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_the_same_bundle_gives_the_same_bytes(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    bundle = make()
    first = write_archive(bundle, tmp_path / f"one{suffix}").read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    shutil.copytree(bundle.path, tmp_path / "copy")  # other times, other owner, other folder
    assert write_archive(store.load_bundle(tmp_path / "copy"), tmp_path / f"two{suffix}").read_bytes() == first


def test_export_into_a_folder_names_the_file(make: Make, tmp_path: Path) -> None:
    assert write_archive(make(), tmp_path).name == "small-1.0.tar.gz"


@pytest.mark.parametrize(
    ("out", "sentence"), [("bundle.rar", "end it in one of .tar.gz"), ("no/folder.zip", "cannot be written")]
)
def test_export_to_an_impossible_place(make: Make, tmp_path: Path, out: str, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        write_archive(make(), tmp_path / out)


@pytest.mark.parametrize("prefix", ["", "./", "folder/"])
def test_the_manifest_may_lie_at_the_top_or_one_folder_down(
    home: Path, make: Make, tmp_path: Path, prefix: str
) -> None:
    assert store.install(tar(tmp_path / "b.tar.gz", members(make(), prefix))).manifest.id == "small"
    if prefix != "./":
        assert store.install(zipped(tmp_path / "b.zip", members(make("z"), prefix))).manifest.id == "z"


def info(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


STRANGERS = [
    ([info("model.onnx", tarfile.SYMTYPE, "/etc/passwd")], [], "is a link or a device"),
    ([info("model.onnx", tarfile.LNKTYPE, "../../x")], [], "is a link or a device"),
    ([info("pipe.onnx", tarfile.FIFOTYPE)], [], "is a link or a device"),
    ([], [("../evil.onnx", b"x")], "leads out of the bundle"),
    ([], [("/evil.onnx", b"x")], "leads out of the bundle"),
    ([], [("a/../../evil.onnx", b"x")], "leads out of the bundle"),
    ([], [("c:\\evil.onnx", b"x")], "leads out of the bundle"),
]


@pytest.mark.parametrize(("special", "extra", "sentence"), STRANGERS)
def test_members_that_reach_out_are_refused(
    home: Path, make: Make, tmp_path: Path, special: list[tarfile.TarInfo], extra: Members, sentence: str
) -> None:
    archive = tar(tmp_path / "b.tar.gz", [*members(make()), *extra], special)
    with pytest.raises(BundleError, match=sentence):
        store.install(archive)
    if extra:
        with pytest.raises(BundleError, match=sentence):
            store.install(zipped(tmp_path / "b.zip", [*members(make("z")), *extra]))
    assert not store.list_bundles()
    assert not list(tmp_path.rglob("evil*"))


def test_a_link_in_a_zip_is_refused(home: Path, make: Make, tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.zip", members(make()))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.onnx")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BundleError, match=r"'link\.onnx' is a link or a device"):
        store.install(path)


@pytest.mark.parametrize(("limit", "value"), [("MAX_TOTAL_BYTES", 500), ("MAX_MEMBERS", 2)])
def test_an_archive_over_the_cap_is_refused(
    home: Path, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    archive = tar(tmp_path / "b.tar.gz", members(make()))
    monkeypatch.setattr(sources, limit, value)
    with pytest.raises(BundleError, match="holds more than"):
        store.install(archive)


def test_only_what_the_manifest_lists_is_installed(home: Path, make: Make, tmp_path: Path) -> None:
    installed = store.install(tar(tmp_path / "b.tar.gz", [*members(make()), ("setup.py", b"import os")]))
    assert sorted(path.name for path in installed.path.iterdir()) == [MANIFEST_NAME, "model.onnx", "tokenizer.json"]


def test_a_member_longer_than_its_record_is_not_unpacked(
    home: Path, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = 0
    real = sources.Source.blocks

    def counted(source: sources.Source, name: str) -> Iterator[bytes]:
        nonlocal unpacked
        for block in real(source, name):
            unpacked += len(block)
            yield block

    monkeypatch.setattr(sources.Source, "blocks", counted)
    contents = [(n, d if n != "model.onnx" else d + b"x" * 5_000_000) for n, d in members(make())]
    with pytest.raises(BundleError, match=r"model\.onnx is longer than its manifest says"):
        store.install(tar(tmp_path / "b.tar.gz", contents))
    assert unpacked < 2_500_000  # of 5,000,000


@pytest.mark.parametrize("name", ["b.tar.gz", "b.zip"])
def test_a_truncated_archive_installs_nothing(home: Path, make: Make, tmp_path: Path, name: str) -> None:
    data = write_archive(make(), tmp_path / name).read_bytes()
    # The last tenth of a tar.gz may be padding: without it every file can still be complete.
    for length in range(0, len(data) * 9 // 10, max(1, len(data) // 40)):
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(BundleError) as caught:
            store.install(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not store.list_bundles()


def test_flipped_bytes_never_install_another_model(home: Path, make: Make, tmp_path: Path) -> None:
    bundle = make()
    path = write_archive(bundle, tmp_path / "b.zip")
    data = path.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 60)):
        broken = bytearray(data)
        broken[place] ^= 0x55
        path.write_bytes(broken)
        with contextlib.suppress(BundleError):
            store.install(path)
    for entry in store.verify():  # a flip in padding or a time stamp harms nothing
        assert entry.problem is None
        assert entry.bundle is not None
        assert entry.bundle.manifest == bundle.manifest


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ([("readme.txt", b"x")], "holds no manifest.json at its top"),
        ([("a/manifest.json", b"{}"), ("b/manifest.json", b"{}")], "holds 2 manifest.json at its top"),
        ([("manifest.json", b"{}")], "`schema` is missing"),
        ([("manifest.json", b" " * (8 * 2**20 + 1))], "its manifest is too large"),
    ],
)
def test_archives_that_are_no_bundles(home: Path, tmp_path: Path, contents: Members, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        store.install(tar(tmp_path / "b.tar.gz", contents))


def test_a_listed_file_that_is_absent(home: Path, make: Make, tmp_path: Path) -> None:
    contents = [(name, data) for name, data in members(make()) if name != "model.onnx"]
    for archive in (tar(tmp_path / "b.tar.gz", contents), zipped(tmp_path / "b.zip", contents)):
        with pytest.raises(BundleError, match=r"model\.onnx is missing"):
            store.install(archive)


def test_a_file_that_is_no_archive(home: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text(json.dumps({}))
    with pytest.raises(BundleError, match="is not a complete bundle archive"):
        store.install(tmp_path / "b.tar.gz")
