"""A model that learned its rows by heart gives them away, one that learned a line does not; shadow models find no fewer than the loss does."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.evidence import memorising
from fathom.evidence.contract import Part
from tests.evidence.planted import matrix_of, nearest, regression_case


def case_of(by_heart, classes=None, seed=0, **more):
    random = np.random.default_rng(seed)
    x = random.normal(size=(1_600, 2))
    truth = 2 * x[:, 0] - x[:, 1] + random.normal(0, 0.6, 1_600)
    if classes:
        truth = (truth > 0).astype(np.int64)

    def fit(name, x, y, weights=None):
        if by_heart:
            answer = nearest(name, x, y)
        else:
            slope = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
            answer = lambda asked: np.c_[asked, np.ones(len(asked))] @ slope  # noqa: E731
        if not classes:
            return answer
        return lambda asked: np.stack([1 - np.clip(answer(asked), 0.02, 0.98), np.clip(answer(asked), 0.02, 0.98)], 1)

    case = regression_case({"a": x[:, 0], "b": x[:, 1]}, truth, 800, fit, classes, **more)

    def taught(name, table, seconds):
        cells = table.column("target").to_pylist()
        told = np.array([classes.index(cell) for cell in cells] if classes else cells)
        answer = fit(name, matrix_of(table, ("a", "b")), told)
        return lambda asked: answer(matrix_of(asked, ("a", "b")))

    return replace(case, refit=replace(case.refit, taught=taught))


@pytest.mark.parametrize("classes", [None, ("no", "yes")])
@pytest.mark.parametrize("effort", ["standard", "thorough"])
def test_what_was_learned_by_heart_is_given_away_and_a_line_gives_nothing_away(classes, effort):
    given = memorising.run(case_of(True, classes, effort=effort))
    assert given.status == "warning" and given.remedy, given.sentence
    kept = memorising.run(case_of(False, classes, effort=effort))
    assert kept.answer == "hardly", kept.sentence
    if effort == "thorough":
        assert [row["attack"] for row in kept.rows] == ["loss", "shadow models", "canaries"]
        assert given.rows[2]["found"] == 1.0 and kept.rows[2]["found"] < 0.4
        assert "wrong target on purpose" in given.sentence


def test_shadow_models_find_no_fewer_than_the_loss():
    found = {row["attack"]: row for row in memorising.run(case_of(True, effort="thorough")).rows}
    assert found["shadow models"]["area"] > 0.9


def test_rates_at_a_false_positive_rate_are_those_of_the_definition():
    random = np.random.default_rng(0)
    one, other = random.normal(1, 1, 20_000), random.normal(0, 1, 20_000)
    assert memorising.found_at(one, other) == pytest.approx(0.0922, abs=0.02)  # 1 - Phi(2.326 - 1)
    assert memorising.area(one, other) == pytest.approx(0.760, abs=0.01)  # Phi(1 / sqrt 2)
    assert memorising.found_at(other, other.copy()) == pytest.approx(0.01, abs=0.002)
    assert memorising.found_at(np.zeros(50), np.zeros(50)) == pytest.approx(0.01)


def test_no_order_of_the_rows_moves_a_figure_and_a_bundle_alone_is_no_case():
    case = case_of(True)
    order = np.random.default_rng(1).permutation(case.sealed.table.rows)
    mixed = Part(case.sealed.table.take(order), case.sealed.truth[order], case.sealed.answer[order])
    assert memorising.run(replace(case, sealed=mixed)).rows == memorising.run(case).rows
    assert memorising.run(replace(case, train=None)).answer == "not applicable"
