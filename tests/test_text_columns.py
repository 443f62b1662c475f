"""A table with texts goes the whole way: fit, bundle, predict, report; whatever the texts hold."""

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.baselines import constant, linear
from fathom.errors import OptionError, TableError
from fathom.networks.encoders.choosing import choose
from fathom.report import render
from fathom.shapes import Part

WORDS = [
    "the",
    "room",
    "was",
    "clean",
    "and",
    "a",
    "staff",
    "member",
    "by",
    "the",
    "sea",
    "with",
    "many",
    "windows",
    "in",
    "old",
    "quiet",
    "house",
]
STRANGE = ["שלום עולם", "🙂👩‍👩‍👧 🙂", "很好的地方", "\x01\x02\x1f", "x" * 10_000_000, "\u202eabc", " ", "n/a", None]


def some_texts(rows=240):
    """The kind hangs on a word, the number adds nothing."""
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, random.integers(6, 20))) for _ in range(rows)]
    kind = ["good" if random.random() < 0.5 else "bad" for _ in range(rows)]
    texts = [
        f"{text} {'lovely' if mark == 'good' else 'dreadful'} {text[:20]}"
        for text, mark in zip(texts, kind, strict=True)
    ]
    for place, text in enumerate(STRANGE):
        texts[7 * place] = text
    return {"remark": texts, "size": random.normal(size=rows).tolist(), "kind": kind}


def probabilities(model, texts):
    table = {"remark": pa.array(texts, pa.string()), "size": [0.0] * len(texts)}
    return model.predict(table).column("kind_probability").to_pylist()


@pytest.fixture(scope="module")
def model():
    return fathom.fit(some_texts(), "kind", effort="quick", keep="network", epochs=20, baselines=(constant, linear))


def test_the_column_is_taken_for_text_and_its_reader_is_told_with_a_reason(model):
    found = {column["name"]: column for column in model.result["columns"]}["remark"]
    assert (found["role"], found["modality"]) == ("input", "text")
    assert "words a cell" in found["reason"] and "subwords" in found["summary"]
    assert model.result["models"][0]["notes"]["remark is read by"].startswith("cnn: its ")


def test_network_and_linear_model_read_the_word_that_tells(model):
    scores = {found["name"]: found["scores"]["accuracy"]["value"] for found in model.result["models"]}
    assert scores["network"] > 0.85 and scores["linear"] > 0.85


def test_strange_and_missing_texts_are_answered_alike_by_themselves(model):
    together = probabilities(model, STRANGE)
    assert all(0 < probability <= 1 for probability in together)
    alone = [probability for text in STRANGE for probability in probabilities(model, [text])]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(together[place], 6) for place in (6, 7, 8)}) == 1


def test_the_report_shows_an_example_and_stays_small(model):
    page = render(dict(model.result))
    assert "words a cell" in page and len(page) < 2_000_000


def test_a_text_is_no_target_and_a_class_with_one_text_is_named():
    table = some_texts()
    with pytest.raises((TableError, OptionError), match="text"):
        fathom.fit(
            {**table, "remark": [f"remark {text} number {place}" for place, text in enumerate(table["kind"])]}, "remark"
        )
    with pytest.raises(TableError, match="has this single row"):
        fathom.fit({**table, "kind": ["odd", *table["kind"][1:]]}, "kind")


def test_the_encoder_of_codes_follows_their_number():
    words = Part("remark", "value", "codes", codes=8_000, size=(128,))
    marks = Part("smiles", "value", "codes", codes=60, size=(128,))
    assert [choose(part, 1_000).encoder for part in (words, marks)] == ["bag", "cnn"]
    with pytest.raises(OptionError, match="There is no encoder 'lstn' for codes columns"):
        choose(words, 1_000, "lstn")
