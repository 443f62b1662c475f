"""A table with a deep column of a user's own kind goes the whole way: fit, bundle, predict, explain, report."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.data.cells.values import words_of
from fathom.data.modalities import MODALITIES, category
from fathom.data.modalities.contract import Claim, Features
from fathom.errors import OptionError
from fathom.explaining import explain
from fathom.report import render
from fathom.shapes import Part

LETTERS = "abcdefghij"
STEPS = 12


@dataclass(frozen=True)
class State:
    """Nothing is learned."""


def codes_of(values):
    cells = values.cast(pa.string()).fill_null("").to_pylist()
    codes = [[LETTERS.find(letter) + 1 for letter in cell[:STEPS]] for cell in cells]
    return np.array([row + [0] * (STEPS - len(row)) for row in codes], np.int32).reshape(-1, STEPS)


genes = SimpleNamespace(
    NAME="genes",
    SHAPE="codes",
    SUMMARY="letters in a row",
    SOURCE="ours",
    PREDICTABLE=False,
    State=State,
    claim=lambda values: Claim(
        0.9
        if "abcdefghij".find((words_of(values)[0].as_py() or "!")[0]) >= 0 and len(words_of(values)[0].as_py()) > 6
        else 0,
        "letters",
    ),
    learn=lambda values, role="input": State(),
    parts=lambda state, column: (Part(column, "value", "codes", codes=len(LETTERS) + 1, size=(STEPS,)),),
    encode=lambda state, values: codes_of(values),
    decode=None,
    blank=lambda state, rows: pa.nulls(rows, pa.string()),
    corrupt=lambda values, severity, seed: values,
    sample=lambda count, seed: pa.array(["jihgfedc"] * count),
    unreadable=lambda state, values: np.zeros(len(values), np.bool_),
    missing=category.missing,
    features=lambda state, values: Features(
        (codes_of(values) == 3).sum(1, keepdims=True).astype(np.float64), ("c",), (0,)
    ),
    show=lambda state, value: str(value),
)


def some_table(rows=400):
    """The kind hangs on what the letters are, the number adds nothing."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list(LETTERS), random.integers(7, STEPS))) for _ in range(rows)]
    kind = ["many" if word.count("a") + word.count("b") >= 3 else "few" for word in words]
    words[3] = None
    return {"letters": words, "size": random.normal(size=rows).tolist(), "kind": kind}


@pytest.fixture(scope="module")
def model():
    return fathom.fit(
        some_table(),
        "kind",
        modalities=(*MODALITIES, genes),
        effort="quick",
        keep="network",
        epochs=40,
        encoder={"letters": "bag"},
    )


def test_the_network_learns_from_the_column_and_answers_without_it(model):
    network = model.result["models"][0]
    assert network["scores"]["accuracy"]["value"] > 0.8
    answered = model.predict({"letters": ["aabbaabb", "cdefghij", None], "size": [0.0, 0.0, 0.0]}).to_pylist()
    assert [row["kind"] for row in answered[:2]] == ["many", "few"]
    assert 0 < answered[2]["kind_probability"] < 1


def test_what_a_column_adds_is_measured_by_training_without_it():
    found = fathom.fit(
        some_table(), "kind", modalities=(*MODALITIES, genes), epochs=60, encoder={"genes": "bag"}
    ).result
    letters, size = found["adds"]
    assert (letters["columns"], size["columns"], letters["unit"]) == (["letters"], ["size"], "nats")
    assert letters["low"] > 0.05 > size["value"]
    assert letters["value"] > size["high"]
    assert "What each column adds" in render(dict(found))


def test_every_layer_is_looked_at_in_the_order_of_the_data(model):
    (found,) = model.result["layers"]
    assert found["column"] == "letters"
    assert [probe["stage"] for probe in found["probes"]] == ["words", "mean and maximum", "out"]
    assert found["probes"][-1]["value"] > 0.8
    assert len(found["map"]["places"]) == len(found["map"]["truth"]) == model.result["rows"]["validation"]
    assert all(
        row.strip(LETTERS) == "" for stage in found["exciting"] for unit in stage["units"] for row in unit["rows"]
    )


def test_the_report_draws_what_the_layers_learned(model):
    page = render(dict(model.result))
    assert "What the layers learned" in page
    assert "Map of " in page and "What excites the units" in page


def test_explain_looks_at_rows_that_it_is_given(model):
    found = explain(model, {name: values[200:] for name, values in some_table().items()}, layers=True)
    assert found["importance"][0]["column"] == "letters"
    assert found["layers"][0]["column"] == "letters"
    assert "Columns that matter" in render(found)


def test_a_bundle_without_deep_columns_has_no_layers_to_show(model):
    table = {name: values for name, values in some_table().items() if name != "letters"}
    flat = fathom.fit(table, "kind", effort="quick", epochs=2)
    assert flat.result["layers"] == []
    with pytest.raises(OptionError, match="--layers looks into a network that reads text, pictures, sound or series"):
        explain(flat, table, layers=True)


def test_an_encoder_is_chosen_by_column_or_kind_and_must_read_its_shape():
    with pytest.raises(OptionError, match="There is no encoder 'tcn' for codes columns"):
        fathom.fit(some_table(), "kind", modalities=(*MODALITIES, genes), encoder={"letters": "tcn"}, epochs=1)
    with pytest.raises(
        OptionError, match="--encoder chooses 'embedding' for 'category', and the table has no such column"
    ):
        fathom.fit(some_table(), "kind", modalities=(*MODALITIES, genes), encoder={"category": "embedding"}, epochs=1)
