"""A bundle is one file as well as a folder, signed if you like, shown by inspect, and the same fit makes the same bytes."""

import json
import zipfile
from pathlib import Path

import pytest

import fathom
from fathom.bundle import manifest, signing
from fathom.bundle.packing import packed
from fathom.errors import BundleError, OptionError, OutputError
from tests.bundles.test_bundles import HERE

TREES = HERE / "format-2" / "table-trees"
NETWORK = HERE / "format-2" / "table-network"
ROWS = json.loads(NETWORK.with_suffix(".json").read_text())["rows"]


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "mine.key"
    assert signing.new_key(path) == path.with_name("mine.key.public")
    return path


def test_one_file_answers_as_the_folder_does(tmp_path):
    model = fathom.load(NETWORK)
    file = model.save(tmp_path / "flights.fathom")
    assert fathom.load(file).predict(ROWS).arrow.equals(model.predict(ROWS).arrow)
    assert file.read_bytes() == packed(manifest.read(NETWORK)) == packed(manifest.read(file))
    again = fathom.load(file).save(tmp_path / "folder")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in NETWORK.iterdir()
    }
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None and {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    with pytest.raises(OutputError, match=r"^.*flights\.fathom is there already\. Name another file, or remove it\.$"):
        model.save(file)


def test_a_bundle_is_written_so_that_its_owner_alone_may_change_it(tmp_path):
    import os

    before = os.umask(0)
    try:
        folder = fathom.load(TREES).save(tmp_path / "bundle")
        file = fathom.load(TREES).save(tmp_path / "bundle.fathom")
    finally:
        os.umask(before)
    for path in (folder, file, *folder.iterdir()):
        assert not path.stat().st_mode & 0o022, path


def test_a_file_swapped_between_check_and_use_is_not_used(tmp_path, monkeypatch):
    """What was read and hashed is what is parsed: a swap after reading changes nothing, a swap before is noticed."""
    folder = fathom.load(NETWORK).save(tmp_path / "bundle")
    from fathom.bundle.guard import checking

    real = checking.check_contents

    def swap(files, where=""):
        (folder / "network.onnx").write_bytes(b"another")
        return real(files, where)

    monkeypatch.setattr(checking, "check_contents", swap)
    assert fathom.load(folder).predict(ROWS).arrow.equals(fathom.load(NETWORK).predict(ROWS).arrow)
    monkeypatch.undo()
    with pytest.raises(BundleError, match="has 7 bytes where the manifest says"):
        fathom.load(folder)


def test_the_same_fit_makes_the_same_bytes():
    from fathom.baselines import constant, linear

    table = {"x": [str(x / 8) for x in range(200)], "k": ["abc"[x % 3] for x in range(200)], "y": ["no", "yes"] * 100}
    made = [
        fathom.fit(
            table,
            target="y",
            effort="quick",
            epochs=1,
            trunk="mlp",
            layers=1,
            keep="network",
            baselines=(constant, linear),
        )
        for _ in range(2)
    ]
    assert made[0].files == made[1].files


def test_a_signature_is_true_or_the_bundle_is_refused(tmp_path, key):
    public = f"{key}.public"
    files = manifest.read(NETWORK)
    signed = signing.sign(files, key, when=1_000)
    folder, file = tmp_path / "signed", tmp_path / "signed.fathom"
    fathom.Model.of(signed).save(folder)
    fathom.Model.of(signed).save(file)
    for path in (folder, file):
        assert fathom.load(path, trust=public).predict(ROWS).rows == 10
        assert signing.verify(manifest.read(path), public).signed == 1_000
    with pytest.raises(
        BundleError, match=r"^The bundle is not signed, and it should be by the owner of .*\. Ask for the signed one"
    ):
        fathom.load(NETWORK, trust=public)
    other = signing.new_key(tmp_path / "other.key")
    with pytest.raises(BundleError, match=r"^The bundle is signed by another key \([0-9a-f]{16}…\) than that of "):
        fathom.load(folder, trust=other)
    with pytest.raises(OptionError, match="is no public key in PEM"):
        fathom.load(folder, trust=NETWORK / "model.json")
    assert key.stat().st_mode & 0o077 == 0


def test_every_changed_byte_of_a_signature_is_noticed(tmp_path, key):
    signed = signing.sign(manifest.read(TREES), key)
    content = signed[manifest.SIGNATURE]
    folder = fathom.Model.of(signed).save(tmp_path / "signed")
    for place in range(len(content)):
        odd = bytearray(content)
        odd[place] ^= 1
        (folder / manifest.SIGNATURE).write_bytes(odd)
        with pytest.raises(BundleError):
            manifest.read(folder)
    moved = {**manifest.read(NETWORK), manifest.SIGNATURE: content}
    with pytest.raises(BundleError, match="signs another bundle"):
        signing.verify(moved, f"{key}.public")


def test_a_forged_signature_is_false(key):
    from fathom.bundle.guard import signature_schema

    files = manifest.read(TREES)
    found = signature_schema.check(signing.sign(files, key, when=5), manifest.SIGNATURE)
    forged = signature_schema.write(
        files[manifest.NAME], found.key, 9_999, found.signature
    )  # a later date than was signed
    with pytest.raises(BundleError, match=r"^The bundle's signature is false: it was made for other bytes"):
        signing.verify({**files, manifest.SIGNATURE: forged}, f"{key}.public")


def test_a_downgrade_is_flagged(key):
    files = manifest.read(NETWORK)
    old, new = signing.sign(files, key, when=1_000), signing.sign(files, key, when=2_000)
    signing.check_no_downgrade(new, old)
    with pytest.raises(BundleError, match="was signed 1,000 seconds before the one in place"):
        signing.check_no_downgrade(old, new)
    with pytest.raises(BundleError, match="is not signed, and the one in place is"):
        signing.check_no_downgrade(files, old)
    with pytest.raises(BundleError, match="is of format 1, and the one in place of format 2"):
        signing.check_no_downgrade(manifest.read(HERE / "format-1" / "table-network"), files)


def test_pack_and_inspect_show_all_of_it(command, key, tmp_path):
    file = tmp_path / "flights.fathom"
    packed_ = command("pack", NETWORK, "-o", file, "--sign", key)
    assert (packed_.code, packed_.out) == (0, f"{file}\n")
    done = command("inspect", file, "--verify", f"{key}.public", "--json", tmp_path / "all.json")
    assert done.code == 0, done.err
    for word in ("format 2", "network.onnx", "departure", "MatMul", "On its", "the signature is true"):
        assert word in done.out
    told = json.loads((tmp_path / "all.json").read_text())
    assert told["version"] == manifest.version(manifest.read(NETWORK))
    assert {file["name"] for file in told["files"]} == {path.name for path in NETWORK.iterdir()} | {manifest.SIGNATURE}
    assert [column["name"] for column in told["columns"]] == [
        "departure",
        "airline",
        "holiday",
        "temperature_f",
        "late",
    ]
    assert command("inspect", NETWORK, "--verify", f"{key}.public").code == 2
    assert command("inspect", HERE / "format-1" / "table-network", "--instead-of", NETWORK).code == 2
    assert command("pack", NETWORK).code == 2
    made = command("pack", "--new-key", tmp_path / "new.key")
    assert made.code == 0 and "give it to who should trust" in made.out


def test_inspecting_runs_nothing(monkeypatch):
    import onnxruntime

    from fathom.bundle.inspecting import inspect

    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    assert inspect(manifest.read(TREES))["graph"]["operators"]["TreeEnsemble"] == 1
