"""From a table to a verdict: the main road, on real rows."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load

import fathom
from fathom.data.table import Table
from fathom.errors import OptionError, TableError
from fathom.report import render
from tests.conftest import QUICK

KEYS = {
    "format", "fathom", "created", "command", "table", "targets", "rows", "skipped_rows", "split", "columns", "models", "metrics",
    "verdict", "shipped", "shipped_reason", "warnings", "training", "plots", "importance", "adds", "dependence", "findings", "layers", "reasons", "worst_rows", "settings", "seed",
    "allowance", "seconds", "processor_seconds", "peak_bytes", "machine",
}  # fmt: skip


def test_the_result_says_everything_that_was_promised(late_network):
    result = late_network.result
    assert set(result) == KEYS
    json.dumps(result, allow_nan=False)
    verdict = result["verdict"]
    assert verdict["answer"] in ("worth it", "not worth it", "cannot tell yet")
    assert verdict["low"] <= verdict["difference"] <= verdict["high"]
    assert [model["kind"] for model in result["models"]] == ["network"] + ["baseline"] * (len(result["models"]) - 1)
    for model in result["models"]:
        assert model["fit_seconds"] > 0 and model["predict_seconds_per_row"] > 0 and model["bytes"] > 0
        for score in model["scores"].values():
            assert score["low"] <= score["value"] <= score["high"]
    assert result["rows"]["train"] + result["rows"]["validation"] + result["rows"]["test"] == result["rows"]["total"]
    assert result["shipped"] == "network"
    assert result["seed"] == 0


def test_the_models_beat_a_constant_on_real_rows(late_network):
    scores = {model["name"]: model["scores"]["log_loss"]["value"] for model in late_network.result["models"]}
    assert min(value for name, value in scores.items() if name != "constant") < scores["constant"]


def test_the_same_seed_gives_the_same_bundle_and_another_seed_another(flights, late_network):
    again = fathom.fit(flights, target="late", keep="network", **QUICK)
    told = {"card.md", "manifest.json"}  # they tell of the simpler models, which are fewer here
    assert all(again.files[name] == late_network.files[name] for name in {*again.files, *late_network.files} - told)
    other = fathom.fit(flights, target="late", keep="network", seed=1, **QUICK)
    assert other.files["weights.safetensors"] != late_network.files["weights.safetensors"]


def test_no_test_row_touches_what_is_learned(flights, late_network):
    """Spoil every test row: nothing that was learned may change."""
    from fathom.data.rows.splitting import TEST, split

    parts = split(flights, classes=flights.column("late"))
    spoiled = flights.arrow.to_pydict()
    for row in parts.rows(TEST):
        spoiled["distance_miles"][row] = "99999"
        spoiled["airline"][row] = "Nowhere Air"
    table = Table.of(spoiled)
    own_test = table.take(parts.rows(TEST))
    kept = np.flatnonzero(parts.part != TEST)
    first = fathom.fit(flights.take(kept), target="late", keep="network", test=flights.take(parts.rows(TEST)), **QUICK)
    second = fathom.fit(table.take(kept), target="late", keep="network", test=own_test, **QUICK)
    assert first.files["weights.safetensors"] == second.files["weights.safetensors"]
    assert first.files["model.json"] == second.files["model.json"]
    assert first.result["verdict"] != second.result["verdict"] and first.result["split"]["own_test"]


def test_the_scale_of_a_number_is_learned_from_training_rows_alone():
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    price = 100 + 10 * x + random.normal(size=400)
    some, own = {"x": x[:300], "price": price[:300]}, {"x": x[300:], "price": price[300:]}
    first = fathom.fit(some, "price", test=own, keep="network", **QUICK)
    second = fathom.fit(some, "price", test={**own, "price": 1e6 * price[300:]}, keep="network", **QUICK)
    assert first.files["model.json"] == second.files["model.json"]
    assert first.files["weights.safetensors"] == second.files["weights.safetensors"]


def test_several_targets_share_one_network_and_are_answered_together(two_targets, flights):
    answers = two_targets.predict(flights)
    assert answers.names == (
        "temperature_f", "temperature_f_low", "temperature_f_high",
        "origin", "origin_probability", "origin=EWR", "origin=JFK", "origin=LGA",
    )  # fmt: skip
    assert set(two_targets.result["models"][0]["targets"]) == {"temperature_f", "origin"}
    assert two_targets.result["verdict"]["metric"] == "error against a constant"


def test_predictions_carry_probabilities_or_an_interval(two_targets, flights):
    answers = two_targets.predict(flights).to_pandas()
    assert (answers["temperature_f_low"] < answers["temperature_f"]).all()
    truth = flights.to_pandas()["temperature_f"].replace("", None).astype(float)
    held = ((truth >= answers["temperature_f_low"]) & (truth <= answers["temperature_f_high"]))[truth.notna()].mean()
    assert 0.8 < held < 0.97
    np.testing.assert_allclose(answers[["origin=EWR", "origin=JFK", "origin=LGA"]].sum(axis=1), 1, atol=1e-6)
    assert (answers["origin_probability"] == answers[["origin=EWR", "origin=JFK", "origin=LGA"]].max(axis=1)).all()


def test_the_latest_rows_judge_when_time_parts_them(flights):
    model = fathom.fit(flights, target="late", time="departure", **QUICK)
    assert model.result["split"]["how"].startswith("the latest rows by 'departure' are the test rows")
    assert next(c for c in model.result["columns"] if c["name"] == "departure")["role"] == "time"


def test_a_group_is_left_out_of_what_is_learned(flights):
    model = fathom.fit(flights, target="late", group="destination", **QUICK)
    assert next(c for c in model.result["columns"] if c["name"] == "destination")["role"] == "group"
    assert "destination" not in [row["column"] for row in model.result["importance"]]


def test_ids_constants_and_empty_columns_are_left_out_and_said_so(flights):
    rows = flights.rows
    added = {
        "row": list(range(rows)),
        "ticket": [f"T-{i * 7919 % 100_003:06d}" for i in range(rows)],
        "year": ["2013"] * rows,
        "note": [""] * rows,
        "code": [f"{i * 7919 % 100_003} * {i * 31 % 997}" for i in range(rows)],
    }
    model = fathom.fit(Table.of({**flights.arrow.to_pydict(), **added}), target="late", **QUICK)
    reasons = {c["name"]: c["reason"] for c in model.result["columns"] if c["role"] == "left_out"}
    assert set(reasons) == set(added)
    assert reasons["row"].startswith("id: ") and reasons["ticket"].startswith("id: ")
    assert reasons["year"] == "constant: '2013' on every training row"
    assert reasons["note"] == "empty: no training row has a value"
    assert reasons["code"].startswith("unclear: ")


def test_columns_are_overruled(flights):
    model = fathom.fit(
        flights, target="late", columns={"wind_direction_degrees": "category", "airline": "skip"}, **QUICK
    )
    kinds = {c["name"]: (c["role"], c["modality"], c["reason"]) for c in model.result["columns"]}
    assert kinds["wind_direction_degrees"] == ("input", "category", "you said so")
    assert kinds["airline"] == ("left_out", "", "you said so")


def test_rows_without_a_target_are_left_out_and_listed_when_asked(flights):
    model = fathom.fit(flights, target="pressure_mbar", bad_rows="skip", **QUICK)
    assert model.result["rows"]["skipped"] == len(flights.to_pandas().query("pressure_mbar == ''"))
    assert model.result["skipped_rows"][0]["reason"] == "the target 'pressure_mbar' is missing"


def test_minutes_are_kept(flights):
    # Whether the limit is kept is measured by bench/minutes.py on a quiet machine.
    model = fathom.fit(flights, target="late", minutes=0.2, epochs=100_000, batch_rows=32, effort="thorough")
    assert model.result["training"]["stopped"].startswith("the time for training")


def test_each_setting_changes_something(flights):
    few = flights.take(np.arange(400))
    as_it_is = fathom.fit(few, target="late", keep="network", **QUICK)
    changes = {
        "trunk": "mlp", "encoder": {"number": "periodic"}, "optimizer": "sgd", "learning_rate": 1e-2, "epochs": 3,
        "batch_rows": 64, "class_weights": True, "effort": "standard", "layers": 3, "skip": True,
    }  # fmt: skip
    for name, value in changes.items():
        settings = {**QUICK, "keep": "network", name: value}
        model = fathom.fit(few, target="late", **settings)
        assert model.files["weights.safetensors"] != as_it_is.files["weights.safetensors"], name
    judged = fathom.fit(few, target="late", metric="roc_auc", **QUICK)
    assert judged.result["verdict"]["metric"] == "roc_auc"


def test_an_unknown_setting_is_an_error_with_a_suggestion(flights):
    with pytest.raises(
        OptionError, match=r"^There is no setting 'efort'\. Did you mean 'effort'\? There are: group, time, "
    ):
        fathom.fit(flights, target="late", efort="quick")


def test_more_than_eight_layers_are_residual(flights):
    model = fathom.fit(flights, target="late", trunk="mlp", layers=9, **QUICK)
    (network,) = [found for found in model.result["models"] if found["kind"] == "network"]
    assert "multilayer perceptron, 9 residual layers, " in network["summary"]
    assert network["notes"]["blocks"] == "9 residual layers"
    assert len(model.result["training"]["gradients"]["layers"]) == 12, "two encoders and a head"


def test_without_a_layer_the_network_is_a_perceptron(flights, tmp_path):
    table = flights.select(["distance_miles", "wind_speed_mph", "late"])
    model = fathom.fit(table, target="late", keep="network", trunk="mlp", layers=0, **QUICK)
    (network,) = [found for found in model.result["models"] if found["kind"] == "network"]
    assert "multilayer perceptron, no hidden layers, " in network["summary"]
    assert not [name for name in load(model.files["weights.safetensors"]) if name.startswith("trunk.")]
    assert model.result["training"]["epochs"][-1]["train_loss"] < model.result["training"]["epochs"][0]["train_loss"]
    answers = model.save(tmp_path / "bundle") and fathom.load(tmp_path / "bundle").predict(table.take(range(9)))
    assert answers.rows == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"layers": 0},
            "--layers is 0, and must be at least 1 for --trunk tabm; --trunk mlp --layers 0 is a perceptron, without a hidden layer.",
        ),
        (
            {"layers": -1, "trunk": "mlp"},
            "--layers is -1, and must be at least 0 for --trunk mlp; --trunk mlp --layers 0 is a perceptron, without a hidden layer.",
        ),
        (
            {"skip": False, "trunk": "transformer"},
            "--skip and --no-skip are for the trunks tabm and mlp; a transformer always has them. Leave them out, or choose --trunk mlp.",
        ),
        (
            {"skip": True, "trunk": "mlp", "layers": 0},
            "--skip and --no-skip say how layers follow each other, and with --layers 0 there are none. Leave them out.",
        ),
    ],
)
def test_layers_that_cannot_be_are_an_error(flights, settings, message):
    with pytest.raises(OptionError) as caught:
        fathom.fit(flights, target="late", **settings)
    assert str(caught.value) == message


def test_what_the_doctor_found_in_many_plain_layers_is_part_of_the_result_and_of_the_report(flights):
    model = fathom.fit(flights, target="late", keep="network", trunk="mlp", layers=40, skip=False, **QUICK)
    training = model.result["training"]
    assert "vanishing gradients" in {finding["name"] for finding in training["doctor"]}
    layers = training["gradients"]["layers"]
    assert layers[0]["first"] < 1e-9 * layers[-1]["first"]
    assert "The first layers hardly learned: of 43 layers" in render(model.result)


def test_test_rows_that_were_learned_from_are_warned_of(flights):
    model = fathom.fit(flights, target="late", test=flights.take(range(200)), **QUICK)
    assert any("stand, cell for cell, among the training rows too" in warning for warning in model.result["warnings"])


def test_a_second_fit_of_the_same_rows_knows_that_they_were_looked_at(flights, late_run):
    second = late_run.parent / "second"
    model = fathom.fit(flights, target="late", out=second, **QUICK)
    looks = model.result["split"]["looks"]
    assert looks[0]["what"] == "late: opened once, to judge the models of this fit"
    assert any(
        re.match(r"These test rows had been looked at (once|\d+ times) before this fit\.", warning)
        for warning in model.result["warnings"]
    )


def test_no_rows_have_no_answers_and_the_columns_of_some(two_targets, flights, tmp_path):
    some = two_targets.predict(flights.take([0]), doubt=True)
    header = tmp_path / "header.csv"
    header.write_text(",".join(flights.names) + "\n")
    for nothing in (
        flights.take([]),
        flights.take([]).arrow.to_pandas(),
        {name: [] for name in flights.names},
        [],
        header,
    ):
        found = two_targets.predict(nothing, doubt=True)
        assert found.rows == 0 and found.names == some.names
        assert found.arrow.schema.types == some.arrow.schema.types
    with pytest.raises(TableError, match="has no column"):
        two_targets.predict({"airline": []})
    with pytest.raises(TableError, match="no rows"):
        fathom.read(header)


def test_columns_of_a_frame_that_are_numbered_can_be_predicted_and_a_model_says_what_it_is():
    import pandas

    frame = pandas.DataFrame({0: [n % 6 + n / 1000 for n in range(200)], 1: ["ab"[n % 6 > 2] for n in range(200)]})
    model = fathom.fit(frame, 1, effort="quick", epochs=1, keep="network")
    assert model.predict(frame.head(3)).names[0] == "1"
    assert repr(model) == "<Model of '1': network, from 1 column>"
