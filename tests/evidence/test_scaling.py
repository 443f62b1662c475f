"""A model that goes on learning is told that more rows help, one that has learned all it can that they hardly do."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.evidence import scaling
from fathom.evidence.contract import Part
from tests.evidence.planted import nearest, regression_case


def waves(seed=0, noise=0.02, fit=nearest, names=("nearest",), **more):
    random = np.random.default_rng(seed)
    x, z = random.uniform(0, 1, (2, 2_400))
    return regression_case(
        {"x": x, "z": z},
        np.sin(9 * x) + np.cos(7 * z) + random.normal(0, noise, 2_400),
        1_600,
        fit,
        names=names,
        **more,
    )


def line(name, x, y, weights=None):
    slope = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    return lambda asked: np.c_[asked, np.ones(len(asked))] @ slope


def both(name, x, y, weights=None):
    return (nearest if name == "network" else line)(name, x, y)


@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_still_learns_is_helped_by_rows_and_one_that_is_done_is_not(seed):
    learning = scaling.run(waves(seed))
    assert learning.answer == "yes", learning.sentence
    assert learning.value == pytest.approx(0.5, abs=0.2)  # the distance to a neighbour in two directions
    done = scaling.run(waves(seed, fit=line))
    assert done.answer == "hardly" and "more than 100 times" in done.sentence and done.remedy


def test_the_rows_for_a_goal_are_those_that_it_takes():
    small = waves()
    found = scaling.run(replace(small, goal=float(small.sealed.answer.std()) * 0.03))
    assert "would take about" in found.sentence or "more than 100 times" in found.sentence
    assert "no more rows" in scaling.run(replace(small, goal=5.0)).sentence


def test_a_network_that_goes_on_where_the_simpler_model_stops_is_named():
    found = scaling.run(waves(fit=both, names=("network", "linear"), effort="thorough"))
    assert "The network gains more from more rows than linear" in found.sentence
    other = scaling.run(waves(fit=lambda name, x, y, weights=None: line(name, x, y), names=("network", "linear")))
    assert "gains more from more rows than linear." not in other.sentence or "cannot be told" in other.sentence


def test_no_order_of_the_rows_moves_a_figure():
    case = waves()
    order = np.random.default_rng(1).permutation(case.refit.train.rows)
    mixed = replace(
        case.refit,
        train=case.refit.train.take(order),
        fit=lambda name, rows, weights, seconds: case.refit.fit(name, order[rows], weights, seconds),
    )
    assert scaling.run(replace(case, refit=mixed)).rows == scaling.run(case).rows


def test_a_bundle_alone_and_few_rows_are_no_case():
    case = waves()
    assert scaling.run(replace(case, refit=None)).answer == "not applicable"
    few = Part(case.sealed.table.take(np.arange(9)), case.sealed.truth[:9], case.sealed.answer[:9])
    assert scaling.run(replace(case, sealed=few)).answer == "not applicable"


def test_a_law_is_found_again_and_says_when_no_number_of_rows_is_enough():
    rows = np.array([100, 200, 400, 800, 1_600])
    law = scaling.fit_law(rows, (0.2 + 5 * rows**-0.7)[None])
    assert law.power[0] == pytest.approx(0.7, abs=0.05) and law.floor[0] == pytest.approx(0.2, abs=0.01)
    assert law.rows_for(0.1)[0] == np.inf
    assert law.rows_for(0.25)[0] == pytest.approx((5 / 0.05) ** (1 / 0.7), rel=0.2)
