"""A row of a bundle is explained: from Python, on the command line, and as a page."""

import json

import numpy as np
import pytest

import fathom
from fathom.bundle import manifest
from fathom.bundle.answers import background
from fathom.errors import OptionError, TableError
from fathom.gradients import integrated
from fathom.reasons.rows import asked, explain_row
from tests.conftest import FLIGHTS


def test_shares_of_every_row_sum_to_the_answer_less_the_base(late_network, two_targets, flights):
    for model, target in ((late_network, "late"), (two_targets, "temperature_f"), (two_targets, "origin")):
        found = explain_row(model, flights.take([3]), target=target, most_rows=2_048, counterfactual=False)
        gap = found["base"] + sum(found["methods"][0]["values"]) - found["value"]
        assert abs(gap) < 1e-3 and [part["column"] for part in found["parts"]]
        json.dumps(found, allow_nan=False)


def test_a_change_flips_the_answer_of_the_model_itself(late_network, flights):
    found = explain_row(late_network, flights.take([3]), methods=["occlusion"])["counterfactual"]
    if not found["changes"]:
        assert "No small change" in found["sentence"]
        return
    row = flights.take([3]).to_pylist()[0] | {change["column"]: change["after"] for change in found["changes"]}
    assert late_network.predict([row]).column("late")[0].as_py() == found["answer"]
    assert "instead of" in found["sentence"]


def test_a_row_may_be_a_dictionary_and_the_clock_may_bound_it(late_network, flights):
    row = flights.take([3]).to_pylist()[0]
    found = explain_row(late_network, row, methods=["shap", "lime", "occlusion"], seconds=0.5)
    assert [method["name"] for method in found["methods"]] == ["shap", "lime", "occlusion"]
    assert len(found["agreement"]) == 3


def test_what_cannot_be_explained_is_refused_with_a_lesson(late_network, flights):
    with pytest.raises(TableError, match="One row is explained at a time"):
        explain_row(late_network, flights.take([1, 2]))
    with pytest.raises(OptionError, match=r"no method 'shep'\. Did you mean 'shap'"):
        explain_row(late_network, flights.take([1]), methods=["shep"])
    with pytest.raises(OptionError, match="no class 'maybe'"):
        explain_row(late_network, flights.take([1]), of="maybe")
    with pytest.raises(OptionError, match="no target 'lat'"):
        explain_row(late_network, flights.take([1]), target="lat")


def test_gradients_sum_to_the_answer_too_and_agree_with_shap_on_what_matters_most(late_network, flights):
    one = asked(late_network, flights.take([3]))
    parts, shares = integrated(one)
    assert shares.base + shares.values.sum() == pytest.approx(shares.answer, abs=5e-3)
    assert shares.answer == pytest.approx(one.subject.answer(one.subject.row)[0], abs=1e-5)
    shap = explain_row(late_network, flights.take([3]), counterfactual=False)
    values = {part["column"]: value for part, value in zip(shap["parts"], shap["methods"][0]["values"], strict=True)}
    assert set(values) == {part.column for part in parts}
    both = np.array([[value, values[part.column]] for part, value in zip(parts, shares.values, strict=True)])
    assert np.corrcoef(both.T)[0, 1] > 0.5


def test_a_bundle_without_rows_that_stand_in_takes_those_of_its_samples(late_network):
    files = {name: content for name, content in late_network.files.items() if name != background.NAME}
    assert background.rows_of(files, late_network.columns).rows == len(json.loads(files["samples.json"]))
    assert background.rows_of(late_network.files, late_network.columns).rows == background.MOST_ROWS
    assert background.NAME in manifest.read.__globals__["OPTIONAL"]


def test_the_command_line_explains_a_row_and_writes_a_page(command, late_run, tmp_path):
    done = command("explain", late_run, FLIGHTS, "--row", 7)
    assert done.code == 0 and "line 8" in done.out and "shap" in done.out and "rank correlation" in done.out
    page = (tmp_path / "explanation.html").read_text()
    assert 'id="reasons"' in page and "added to the probability of" in page
    refused = command("explain", late_run, FLIGHTS, "--row", 7, "--method", "gradients")
    assert refused.code == 2 and "this bundle holds" in refused.err
    assert "There is no row 999,999" in command("explain", late_run, FLIGHTS, "--row", 999_999).err
    assert "--method and --of" in command("explain", late_run, FLIGHTS, "--method", "lime").err


def test_a_fit_explains_three_rows_and_shows_how_its_answer_goes_with_columns(late_network):
    whys = [entry["why"] for entry in late_network.result["reasons"]]
    assert whys[0] == "A sure answer" and len(whys) == 3
    first = late_network.result["dependence"][0]
    assert len(first["values"]) == len(first["mean"]) and first["of"] == "yes"
    assert all(low <= mean <= high for low, mean, high in zip(first["low"], first["mean"], first["high"], strict=True))


def test_words_are_marked_in_a_page():
    from fathom.report import render

    entry = {
        "why": "Row 1",
        "where": "row 1",
        "target": "topic",
        "of": "sport",
        "answer": "sport",
        "value": 0.9,
        "base": 0.5,
        "parts": [
            {"column": "text", "name": "goal", "place": [2, 6]},
            {"column": "text", "name": "tax", "place": [7, 10]},
        ],
        "methods": [{"name": "shap", "summary": "shares", "values": [0.5, -0.1]}],
        "texts": {"text": "a goal tax <b>"},
        "cells": {"text": "a goal tax <b>"},
    }
    page = render({"format": 1, "targets": [{"name": "topic"}], "reasons": [entry]})
    assert '<mark class="up level-7">goal</mark>' in page and '<mark class="down level-1">tax</mark>' in page
    assert "&lt;b&gt;" in page and fathom is not None
