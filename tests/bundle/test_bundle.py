"""A bundle is whole, safe to open, and answers where there is no torch."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import fathom
from fathom.errors import BundleError, OutputError, TableError
from tests.conftest import ROOT

FILES = {
    "background.json",
    "card.md",
    "manifest.json",
    "model.json",
    "reference.json",
    "samples.json",
    "scores.json",
    "unlike.safetensors",
    "weights.safetensors",
}


@pytest.fixture
def bundle(late_network, tmp_path) -> Path:
    return late_network.save(tmp_path / "bundle")


def test_a_bundle_holds_these_files_and_no_other(bundle, late_run):
    assert {path.name for path in bundle.iterdir()} == FILES | {"network.onnx"}
    assert {path.name for path in (late_run / "bundle").iterdir()} == FILES | {"baseline.onnx"}


def test_a_loaded_bundle_answers_as_the_model_did(bundle, late_network, flights):
    assert fathom.load(bundle).predict(flights).arrow.equals(late_network.predict(flights).arrow)


def test_the_samples_of_a_bundle_are_what_it_answers(bundle):
    samples = json.loads((bundle / "samples.json").read_text())
    rows = {name: [sample["row"][name] for sample in samples] for name in samples[0]["row"]}
    answers = fathom.load(bundle).predict(rows).to_pylist()
    for sample, answer in zip(samples, answers, strict=True):
        assert sample["answer"]["late"] == answer["late"]
        assert sample["answer"]["late=yes"] == pytest.approx(answer["late=yes"], abs=1e-6)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "network.onnx", "samples.json", "manifest.json"])
def test_a_changed_byte_is_noticed_wherever_it_is(bundle, name):
    path = bundle / name
    content = bytearray(path.read_bytes())
    for place in {0, len(content) // 3, len(content) // 2, len(content) - 2}:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(BundleError, match=re.escape(str(bundle))):
            fathom.load(bundle)


def test_each_kind_of_damage_gets_its_message(bundle):
    weights = bundle / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        BundleError,
        match=rf"^{re.escape(str(weights))} was changed after it was saved: its SHA-256 is not the manifest's\. Copy the bundle again, whole\.$",
    ):
        fathom.load(bundle)
    weights.write_bytes(content[:-1])
    with pytest.raises(
        BundleError,
        match=rf"^{re.escape(str(weights))} has [\d,]+ bytes where the manifest says [\d,]+: the file was changed or cut off\. Copy the bundle again, whole\.$",
    ):
        fathom.load(bundle)
    weights.unlink()
    with pytest.raises(
        BundleError,
        match=rf"^{re.escape(str(weights))} is listed in the manifest and not there\. Copy the bundle again, whole\.$",
    ):
        fathom.load(bundle)
    weights.write_bytes(content)
    (bundle / "extra.pkl").write_bytes(b"")
    with pytest.raises(
        BundleError,
        match=rf"^{re.escape(str(bundle / 'extra.pkl'))} is there and not listed in the manifest\. Copy the bundle again, whole\.$",
    ):
        fathom.load(bundle)


def test_what_is_no_bundle_is_said_to_be_none(tmp_path):
    with pytest.raises(
        BundleError,
        match=r"^There is no bundle at .*nowhere\. Name the folder 'bundle' inside a run, or the run itself\.$",
    ):
        fathom.load(tmp_path / "nowhere")
    with pytest.raises(
        BundleError,
        match=r"^.* is not a bundle: it has no manifest\.json\. Name the folder 'bundle' that fathom fit wrote\.$",
    ):
        fathom.load(tmp_path)


def test_a_bundle_of_another_format_is_refused(bundle):
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(
        BundleError,
        match=r"manifest\.json has format 3, and this Fathom reads formats 1 and 2\. Use the Fathom that wrote it, or fit again\.$",
    ):
        fathom.load(bundle)


def test_saving_never_writes_over_anything(bundle, late_network):
    with pytest.raises(OutputError, match=r"^.*bundle is there already\. Name another folder, or remove it\.$"):
        late_network.save(bundle)


def test_a_missing_column_is_named_and_a_misspelt_one_suggested(late_network, flights):
    renamed = flights.arrow.rename_columns([name.replace("airline", "airlines") for name in flights.names])
    with pytest.raises(
        TableError,
        match=r"^table has no column 'airline', which the model reads\. Did you mean 'airlines'\? It needs: 'departure', 'airline', ",
    ):
        late_network.predict(renamed)


def test_extra_columns_are_told_and_order_does_not_matter(late_network, flights):
    reversed_columns = flights.select(flights.names[::-1])
    assert late_network.predict(reversed_columns).arrow.equals(late_network.predict(flights).arrow)
    more = flights.arrow.append_column("spare", flights.column("airline"))
    with pytest.warns(UserWarning, match=r"^Not used, because training did not have them: 'spare'\.$"):
        late_network.predict(more)


def test_a_column_of_another_kind_is_refused_and_a_few_odd_cells_are_told(late_network, flights):
    columns = flights.arrow.to_pydict()
    with pytest.raises(
        TableError,
        match=r"^row 1: column 'distance_miles' holds 'far', and so are 1,500 of its 1,500 cells, where training had a number\. Give the column as it was in training\.$",
    ):
        late_network.predict({**columns, "distance_miles": ["far"] * flights.rows})
    odd = ["far", *columns["distance_miles"][1:]]
    with pytest.warns(
        UserWarning,
        match=r"^row 1: column 'distance_miles' holds 'far' among numbers; 1 such cell was taken as missing\.$",
    ):
        late_network.predict({**columns, "distance_miles": odd})


def core_packages() -> set[str]:
    """Return the distributions that a plain install brings, without any extra."""
    found, waiting = set(), ["fathom-learn"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return found - {"fathom-learn"}


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> str:
    """Return the interpreter of an environment that holds the core's packages alone."""
    home = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    for name in core_packages():
        for file in importlib.metadata.files(name) or []:
            top = file.parts[0]
            source = Path(str(importlib.metadata.distribution(name).locate_file(top)))
            if top not in ("..", "__pycache__") and source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)
    (site / "fathom").symlink_to(ROOT / "fathom")
    return str(home / "bin" / "python")


def test_an_environment_without_torch_and_scikit_learn_predicts(
    bare_python, bundle, late_run, late_network, flights, tmp_path
):
    rows = tmp_path / "rows.csv"
    fathom_write(flights.take(range(50)), rows)
    absent = subprocess.run([bare_python, "-c", "import torch"], capture_output=True, check=False)
    assert absent.returncode == 1
    for folder in (bundle, late_run / "bundle"):
        out = tmp_path / f"{folder.parent.name}.csv"
        subprocess.run([bare_python, "-m", "fathom", "predict", folder, rows, "-o", out], check=True, timeout=60)
        answers = fathom.read(out).to_pandas()
        expected = fathom.load(folder).predict(flights.take(range(50))).to_pandas()
        assert answers["late"].tolist() == expected["late"].tolist()
        assert answers["late=yes"].astype(float).tolist() == pytest.approx(expected["late=yes"].tolist(), abs=1e-6)


def test_fitting_there_names_the_extra_that_is_missing(bare_python):
    tried = subprocess.run(
        [bare_python, "-m", "fathom", "fit", ROOT / "examples/data/flights.csv", "--target", "late"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert tried.returncode == 2
    assert tried.stderr == (
        "fathom: This needs the library 'torch', which is not installed. Install it with: pip install \"fathom-learn[train]\"\n"
    )


def fathom_write(table, path):
    from fathom.data.files.writing import write

    write(table, path)


def test_a_run_is_a_bundle_too(late_run, flights):
    assert fathom.load(late_run).predict(flights).rows == flights.rows


def test_a_moved_bundle_still_answers(bundle, tmp_path, flights):
    shutil.move(bundle, tmp_path / "elsewhere")
    assert fathom.load(tmp_path / "elsewhere").predict(flights).rows == flights.rows
