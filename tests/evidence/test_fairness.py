"""Groups that are alike raise no alarm however many there are, one that differs among many does, and rows that hang together count as one."""

from dataclasses import replace

import numpy as np

from fathom.data.table import Table
from fathom.evidence import fairness
from fathom.evidence.contract import Case, Part
from tests.evidence.planted import column

CLASSES = ("no", "yes")


def towns(count, rows_each, seed, chance=0.4, unlike=None, together=None):
    """Towns of so many rows each, all given yes by the same ``chance``, but for the first where it is ``unlike``; rows ``together`` are answered alike."""
    random = np.random.default_rng(seed)
    town = np.repeat(np.arange(count), rows_each)
    chances = np.where((town == 0) & (unlike is not None), unlike or 0.0, chance)
    luck = random.random(len(town)) if together is None else random.random(together.max() + 1)[together]
    yes = np.where(luck < chances, 0.9, 0.1)
    truth = random.integers(0, 2, len(town))
    table = Table.of({"town": [f"town {one}" for one in town], "late": [CLASSES[code] for code in truth]})
    columns = (column(table, "town", "category"), column(table, "late", "category", "target"))
    part = Part(table, truth, np.stack([1 - yes, yes], 1), groups=together)
    return Case(columns, columns[1], CLASSES, part, lambda rows: None, protect=("town",), seed=seed)


def alarms(cases):
    return sum(fairness.run(case).status == "warning" for case in cases)


def test_groups_that_are_alike_raise_an_alarm_as_rarely_as_chance_may():
    assert alarms(towns(20, 30, seed) for seed in range(10)) <= 1


def test_one_group_among_many_that_is_treated_unlike_is_found_and_named():
    for seed in range(3):
        found = fairness.run(towns(20, 30, seed, chance=0.3, unlike=0.95))
        assert found.status == "warning" and "most for 'town 0'" in found.sentence
        (shares,) = (gap for gap in found.plot["gaps"] if gap["rate"] == "selected")
        assert found.value == shares["value"] > shares["by_chance"] and shares["chance"] < 0.05 / 3
        assert f"by up to {shares['by_chance']:.3f} (95 times of 100" in found.sentence
        assert "Of these two alone, which were picked since they lie furthest apart" in found.sentence


def test_a_group_whose_true_cases_are_overlooked_is_found_though_shares_are_equal():
    case = towns(4, 200, 0)
    first, truth = np.arange(800) < 200, case.sealed.truth
    yes = np.where(truth == 1, 0.8, 0.2)
    yes[first] = 1 - yes[first]  # as many are given yes, to the wrong rows
    found = fairness.run(replace(case, sealed=Part(case.sealed.table, truth, np.stack([1 - yes, yes], 1))))
    assert found.status == "warning" and "of rows where that is" in found.sentence


def test_rows_that_hang_together_count_as_one():
    together = np.arange(600) // 30  # ten households of thirty rows in each of two towns, each answered as one
    cases = [towns(2, 300, seed, together=together) for seed in range(10)]
    row_by_row = [replace(case, sealed=replace(case.sealed, groups=None)) for case in cases]
    assert alarms(row_by_row) >= 4
    assert alarms(cases) <= 1
    own, other = (fairness.run(case).plot["gaps"][0] for case in (cases[0], row_by_row[0]))
    assert own["high"] - own["low"] > 2 * (other["high"] - other["low"])
    assert own["by_chance"] > 2 * other["by_chance"]


def test_more_rows_than_are_dealt_out_one_by_one_are_judged_alike():
    found = fairness.run(towns(3, 4_000, 0, chance=0.3, unlike=0.5))
    assert found.status == "warning" and abs(found.value - 0.2) < 0.03
    assert fairness.run(towns(3, 4_000, 1)).status == "good"
