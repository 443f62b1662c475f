"""Intervals follow how hard a row is, and hold what is promised whatever the margins are worth."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.bundle import manifest
from fathom.bundle.answers import banding, margining
from fathom.bundle.answers.inference import Inference
from fathom.bundle.saving import assemble
from fathom.data.modalities import MODALITIES
from fathom.errors import BundleError
from fathom.model import Model
from fathom.shapes import margins_of

LEVEL = 0.9


def rows(seed, count=800):
    """Answers, how hard each row is, which the answer does not say, and truths that are off by that much."""
    random = np.random.default_rng(seed)
    said, hard = random.uniform(-1, 1, count), random.choice([0.1, 1.0], count)
    return said, hard, said + random.normal(0, hard)


@pytest.mark.parametrize("known", [True, False], ids=["margins that say which rows are hard", "margins by chance"])
def test_a_share_of_rows_is_held_whatever_the_margins_are_worth(known):
    held, easy = [], []
    for seed in range(100):
        said, hard, truth = rows(seed)
        asked, other, found = rows(seed + 1_000)
        random = np.random.default_rng(seed)
        margins, own = (
            np.stack((one, one), axis=1) if known else random.uniform(0.1, 1, (len(one), 2)) for one in (hard, other)
        )
        reach = margining.factor_of(said, margins, truth, LEVEL) * own
        inside = banding.holds(found - asked, reach)
        held.append(inside.mean())
        easy.append(inside[other < 0.5].mean())
    assert np.mean(held) == pytest.approx(LEVEL, abs=0.01)
    assert (np.mean(easy) < 0.93) == known  # chance gives easy rows far more than they need


def test_of_two_intervals_the_one_that_follows_the_rows_scores_better():
    said, hard, truth = rows(0, 4_000)
    margins = np.stack((hard, hard), axis=1)
    by_row = margining.factor_of(said, margins, truth, LEVEL) * margins
    alike = np.full_like(margins, banding.half_width(np.abs(truth - said), LEVEL))
    scores = [margining.interval_score(said, reach, truth, LEVEL) for reach in (by_row, alike)]
    assert scores[0] < 0.8 * scores[1]


def test_each_side_has_a_margin_of_its_own():
    margins = np.array([[1.0, 4.0]] * 2)
    assert margining.out_by(np.zeros(2), margins, np.array([-2.0, 2.0])).tolist() == [2.0, 0.5]
    assert banding.holds(np.array([-2.0, 2.0]), margins).tolist() == [False, True]


def test_intervals_of_a_bundle_follow_its_margins(two_targets, flights):
    """In encoded units the interval is the answer less and plus so many margins; one row alone has the same."""
    description, name = two_targets.description, "temperature_f"
    (target,) = [column for column in description.targets if column.name == name]
    told = two_targets.tell(two_targets.checked(flights))
    margins = description.factors[name] * told[margins_of(name)]
    found = two_targets.predict(flights)
    for sign, end, side in ((-1, "low", 0), (1, "high", 1)):
        expected = target.kind.decode(target.state, told[name] + sign * margins[:, side]).to_numpy()
        assert found.column(f"{name}_{end}").to_numpy() == pytest.approx(expected, rel=1e-9)
    row = flights.take([7]).to_pylist()[0]
    one = two_targets.predict_one({column: row[column] for column in flights.names if column in row})
    assert one[f"{name}_low"] == pytest.approx(found.column(f"{name}_low")[7].as_py(), rel=1e-5)


def test_margins_are_kept_only_where_the_graph_tells_them(two_targets):
    """A bundle whose model.json multiplies margins that its graph does not tell is refused, and says what it should have."""
    from fathom.bundle.graph.exporting import network_onnx
    from fathom.bundle.loading import reload_network

    description = two_targets.description
    bare = replace(description, plan={**description.plan, "margins": False})
    weights = two_targets.files[manifest.WEIGHTS]
    network = reload_network(description, weights)
    network.margins.clear()
    files = assemble(bare, None, network_onnx(network), [])
    with pytest.raises(BundleError, match="answers in the sizes"):
        Model.of(files)
    assert Inference.open(assemble(bare.uncalibrated(), None, network_onnx(network), []), MODALITIES).told[:2] == (
        "temperature_f",
        "origin",
    )
