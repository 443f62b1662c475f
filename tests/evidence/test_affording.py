"""Questions cost no more than they may: fewer rows, then none and a word about it; the same in every fit of the same rows."""

from dataclasses import replace

import numpy as np
import pytest

import fathom
from fathom.chapters import reckoning
from fathom.evidence import CHECKS, faithfulness, memorising, robustness
from fathom.evidence.affording import FREE, SHARES, Allowance
from fathom.evidence.contract import LEFT_OUT
from fathom.report import render
from tests.conftest import QUICK
from tests.evidence.planted import nearest, regression_case

SLOW = Allowance(60.0, row=0.1, known=0.1, how="planted")


@pytest.fixture(scope="module")
def case():
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=1_200) for name in "abc"}
    truth = columns["a"] + 0.1 * random.normal(size=1_200)
    return regression_case(columns, truth, 600, nearest)


def answered(case):
    """Return the case with a count of the rows that its model is asked."""
    asked = []

    def answer(table):
        asked.append(table.rows)
        return case.answer(table)

    return replace(case, answer=answer), asked


@pytest.mark.parametrize("check", [robustness, faithfulness, memorising])
def test_a_check_asks_no_more_rows_than_it_may_and_says_so_where_that_is_too_few(check, case):
    for seconds in (60.0, 600.0, 60_000.0):
        allowance = replace(SLOW, seconds=seconds)
        counted, asked = answered(replace(case, allowance=allowance))
        found = check.run(counted)
        paid = SHARES[check.NAME] * seconds / SLOW.row
        if found.answer == LEFT_OUT:
            assert not asked
            assert f"--only {check.NAME}" in found.sentence
            assert "0.1 s" in found.sentence
            assert found.status == "neutral"
        else:
            assert sum(asked) <= 1.4 * paid + 64  # ends and stand-ins beside what was reckoned
    assert found.answer != LEFT_OUT
    assert check.run(replace(case, allowance=replace(SLOW, seconds=1.0))).answer == LEFT_OUT


def test_what_is_free_is_asked_in_full(case):
    found = [check.run(replace(case, allowance=FREE)) for check in (robustness, memorising)]
    cheap = [check.run(replace(case, allowance=Allowance(60.0, 1e-5, 1e-5))) for check in (robustness, memorising)]
    assert [one.as_json() for one in found] == [one.as_json() for one in cheap]


def test_each_share_is_of_something_that_is_asked():
    others = {"importance", "dependence", "layers", "reasons", "parity"}
    assert set(SHARES) - others <= {check.NAME for check in CHECKS}
    assert sum(SHARES.values()) <= 1.0 + 1e-9


def test_a_fit_whose_model_is_too_slow_says_what_it_left_out_and_draws_its_page(flights, monkeypatch):
    monkeypatch.setattr(reckoning, "FLAT_CELL", 10.0)
    monkeypatch.setattr(reckoning, "EVIDENCE_SHARE", {"quick": 0.0})
    model = fathom.fit(flights, target="late", keep="baseline", **QUICK)
    left = {one["name"]: one["sentence"] for one in model.result["findings"] if one["answer"] == LEFT_OUT}
    assert {"importance", "dependence", "reasons", "robustness", "memorising"} <= set(left)
    assert "fathom explain RUN ROWS" in left["importance"]
    assert model.result["importance"] == model.result["reasons"] == []
    assert left["robustness"][:60] in render(dict(model.result))
    assert model.result["allowance"]["shipped"]["how"] == "reckoned from its arithmetic"


@pytest.mark.parametrize("encoder", ["lstm", "gru", "transformer"])
def test_every_network_that_reads_steps_is_reckoned_by_how_much_it_does(encoder):
    from fathom.data.encoding import Column
    from fathom.data.modalities import by_name
    from fathom.data.table import Table
    from fathom.networks.network import Network, NetworkPlan

    words = Table.of({"said": ["the quick brown fox jumps over the lazy dog"] * 8, "y": ["a", "b"] * 4})
    kinds = {"said": ("text", "input"), "y": ("category", "target")}
    columns = tuple(
        Column(name, role, by_name(kind), 1.0, "", by_name(kind).learn(words.column(name), role))
        for name, (kind, role) in kinds.items()
    )
    parts, target = columns[0].parts, columns[1].parts
    network = Network(NetworkPlan(parts, target, encoders={"codes_0": encoder}))
    more = 2 * parts[0].size[0] * 50_000  # additions and multiplications: each step goes through all layers
    assert reckoning.price(network, columns, words).row > more / reckoning.OPERATIONS_A_SECOND
