"""A bundle answers as the network that was trained, whatever the network and whatever the rows."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import fathom
from fathom.bundle import saving
from fathom.bundle.answers.inference import Inference
from fathom.bundle.loading import reload_network
from fathom.data.encoding import encode_inputs
from fathom.data.modalities import MODALITIES
from fathom.data.table import Table
from fathom.shapes import margins_of
from tests.conftest import QUICK

HOSTILE = {
    "departure": ["", "not a date", "0001-01-01 00:00", "9999-12-31 23:59", "2013-02-30 10:00", "🛫"],
    "airline": ["", "Nowhere Air", "Delta Air Lines Inc.", "\x00", "é" * 10_000, "DROP TABLE"],
    "distance_miles": ["", "1e400", "-1e400", "99999999999999999999", "nan", "12,5"],
    "holiday": ["", "maybe", "yes", "YES", "0", "no"],
}


@pytest.mark.parametrize(
    ("trunk", "encoder", "layers"),
    [
        *itertools.product(["tabm", "mlp", "transformer"], ["piecewise", "periodic"], [2]),
        ("tabm", "piecewise", 20),
        ("mlp", "periodic", 40),
    ],
)
def test_torch_and_onnx_runtime_agree_on_every_row_even_hostile_ones(flights, trunk, encoder, layers):
    import torch

    model = fathom.fit(
        flights, target="late", keep="network", trunk=trunk, encoder={"number": encoder}, layers=layers, **QUICK
    )
    hostile = flights.take(range(6)).arrow.to_pydict() | HOSTILE
    for rows in (flights, Table.of(hostile)):
        served = model.answer(rows)["late"]
        with torch.inference_mode():
            network = reload_network(model.description, model.files["weights.safetensors"])
            inputs = {name: torch.from_numpy(array) for name, array in encode_inputs(model.columns, rows).items()}
            trained = network.answer(inputs)["late"].numpy()
        assert np.isfinite(served).all()
        np.testing.assert_allclose(served, trained, atol=1e-5)


def test_a_row_is_answered_alike_alone_and_among_others_and_in_any_order(late_network, flights):
    whole = late_network.answer(flights)["late"]
    alone = np.concatenate([late_network.answer(flights.take([row]))["late"] for row in range(20)])
    np.testing.assert_allclose(alone, whole[:20], atol=1e-6)
    order = np.random.default_rng(0).permutation(flights.rows)
    np.testing.assert_allclose(late_network.answer(flights.take(order))["late"], whole[order], atol=1e-6)


def test_saving_refuses_a_model_that_would_answer_otherwise(late_network, flights):
    def another(rows):
        told = late_network.tell(rows)
        return {**told, "late": told["late"] + 1e-4}

    with pytest.raises(
        saving.ParityError,
        match=r"^The trainer and ONNX Runtime differ by 0\.0001 in 'late', where 1e-05 is allowed\. Nothing was saved\.",
    ):
        saving.prove_parity(late_network.files, flights, {"trainer": another}, MODALITIES)
    assert saving.prove_parity(late_network.files, flights, {"trainer": late_network.tell}, MODALITIES) == 0.0


def test_saving_refuses_a_model_that_would_say_otherwise_how_sure_it_is(two_targets, flights):
    name = margins_of("temperature_f")
    untempered = replace(two_targets.inference, description=replace(two_targets.description, temperatures={}))

    def another(by):
        def tell(rows):
            told = untempered.tell(rows)
            return {**told, name: told[name] + by}

        return tell

    rows = two_targets.checked(flights)
    assert saving.prove_parity(two_targets.files, rows, {"trainer": another(5e-4)}, MODALITIES) < 1e-6
    with pytest.raises(saving.ParityError, match=r"in 'temperature_f, how far it may be off', where 0\.001 is allowed"):
        saving.prove_parity(two_targets.files, rows, {"trainer": another(0.01)}, MODALITIES)


def test_no_rows_give_no_answers(late_network, flights):
    assert late_network.predict(flights.take([])).rows == 0


def test_an_exported_graph_tells_nothing_of_the_machine_that_made_it(late_network):
    graph = late_network.files["network.onnx"]
    assert b".py" not in graph and b"/site-packages/" not in graph and b"/home/" not in graph


def test_a_slice_of_a_large_table_is_answered_as_the_whole(late_network, flights, monkeypatch):
    from fathom.bundle.answers import inference

    whole = late_network.answer(flights)["late"]
    monkeypatch.setattr(inference, "ROWS_AT_ONCE", 700)
    again = Inference.open(late_network.files, MODALITIES).answer(flights)["late"]
    np.testing.assert_allclose(again, whole, atol=1e-6)
