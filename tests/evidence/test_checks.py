"""Every check passes on a table that was planted good, and fails on one that was planted bad."""

from dataclasses import replace

import numpy as np
import pytest

from fathom.data.encoding import Column
from fathom.data.modalities import category, number
from fathom.data.table import Table
from fathom.evidence import abstaining, cost, fairness, faithfulness, leakage, slices, suspects
from fathom.evidence.affording import FREE, Allowance
from fathom.evidence.contract import Case, Cost, Part
from tests.evidence.planted import regression_case

CLASSES = ("no", "yes")
ROWS = 1_200


def column(table, name, kind, role="input"):
    values = table.column(name)
    return Column(name, role, kind, 1.0, "planted", kind.learn(values, "target" if role == "target" else "input"))


def table_of(seed, rows=ROWS):
    random = np.random.default_rng(seed)
    return Table.of(
        {
            "age": random.uniform(20, 80, rows).round(1).tolist(),
            "town": random.choice(["here", "there", "far"], rows).tolist(),
            "sex": random.choice(["f", "m"], rows).tolist(),
            "late": random.choice(CLASSES, rows).tolist(),
        }
    )


def part_of(table, seed, wrong=0.1, where=None, how_wrong=0.1):
    """The model is wrong on a share of rows, on another share where ``where`` holds."""
    random = np.random.default_rng(seed + 100)
    truth = (np.array(table.column("late").to_pylist()) == "yes").astype(int)
    share = np.full(table.rows, wrong)
    if where is not None:
        share[where(table)] = how_wrong
    said = np.where(random.random(table.rows) < share, 1 - truth, truth)
    sure = random.uniform(0.6, 0.9, table.rows)
    answer = np.where(said == 1, sure, 1 - sure)
    return Part(table, truth, np.stack([1 - answer, answer], 1))


def case_of(seed=0, **planted):
    first, second = table_of(seed), table_of(seed + 50)
    columns = (column(first, "age", number), column(first, "town", category), column(first, "sex", category))
    target = column(first, "late", category, "target")
    return Case(
        (*columns, target),
        target,
        CLASSES,
        part_of(second, seed + 1, **planted),
        answer=lambda rows: None,
        train=table_of(seed + 70),
        chosen=part_of(first, seed, **planted),
    )


def old_and_far(table):
    return (np.array(table.column("age")) > 60) & (np.array(table.column("town").to_pylist()) == "far")


def of(table, name, value):
    return np.array(table.column(name).to_pylist()) == value


@pytest.mark.parametrize("seed", range(5))
def test_slices_find_the_rows_on_which_the_model_errs_and_none_where_it_errs_alike(seed):
    assert slices.run(case_of(seed)).answer == "none found"
    found = slices.run(case_of(seed, where=old_and_far, how_wrong=0.6))
    assert found.status == "warning"
    assert "town is 'far'" in found.sentence and "age is " in found.sentence
    assert found.low > 1.2 * found.rows[0]["elsewhere"]


def test_a_slice_is_measured_on_rows_that_the_search_did_not_see():
    bad, good = case_of(1, where=old_and_far, how_wrong=0.6), case_of(1)
    assert slices.run(replace(bad, sealed=good.sealed)).answer in ("none found", "not applicable")
    assert slices.run(replace(bad, chosen=None)).answer == "not applicable"


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_are_treated_unlike_are_found(seed):
    alike = replace(case_of(seed), protect=("sex",))
    assert fairness.run(alike).status == "good"
    unlike = case_of(seed)
    for part in (unlike.chosen, unlike.sealed):
        favoured = of(part.table, "sex", "m")
        part.answer[favoured, 1] = np.clip(part.answer[favoured, 1] + 0.3, 0, 1)
        part.answer[:, 0] = 1 - part.answer[:, 1]
    found = fairness.run(replace(unlike, protect=("sex", "town")))
    assert found.status == "warning"
    assert "most for 'm" in found.sentence
    before, *remedies = found.plot["remedies"]
    assert before["remedy"] == "as it is" and len(remedies) == 2
    assert remedies[0]["parity_difference"] < before["parity_difference"]
    assert {row["columns"] for row in found.rows} == {"sex", "town", "sex and town"}
    assert fairness.run(case_of(seed)).answer == "not applicable"


def test_a_class_is_named_as_it_is_written():
    found = fairness.run(replace(case_of(0), classes=("<=50K", ">50K"), protect=("sex",)))
    assert found.sentence.startswith("The share that is given '>50K' differs by ")


@pytest.mark.parametrize(
    ("effort", "named", "asked"), [("quick", False, False), ("quick", True, True), ("standard", False, True)]
)
def test_reasons_are_held_against_chance_where_effort_or_a_name_asks_for_it(effort, named, asked):
    truth = np.random.default_rng(0).normal(size=120)

    def fit(name, x, y, weights=None):
        return lambda rows: rows[:, 0]

    case = regression_case({"same": truth, "other": np.arange(120.0) % 7}, truth, 60, fit, effort=effort)
    found = faithfulness.run(replace(case, allowance=FREE if named else Allowance(1_000.0)))
    assert (found.answer != "not applicable") == asked
    assert asked or found.sentence.endswith("`fathom check RUN ROWS --only faithfulness` asks it.")


def test_rows_that_count_otherwise_bring_groups_nearer_and_every_remedy_has_its_price():
    random = np.random.default_rng(0)
    skill, sex = random.normal(size=2_400), random.integers(0, 2, 2_400)
    truth = (skill + 1.2 * sex + 0.5 * random.normal(size=2_400) > 0.6).astype(np.int64)

    def fit(name, x, y, weights=None):
        root = np.sqrt(np.ones(len(y)) if weights is None else weights)[:, None]
        slope = np.linalg.lstsq(np.c_[x, np.ones(len(x))] * root, y * root[:, 0], rcond=None)[0]

        def chances(asked):
            yes = np.clip(np.c_[asked, np.ones(len(asked))] @ slope, 0.01, 0.99)
            return np.stack([1 - yes, yes], 1)

        return chances

    case = regression_case({"skill": skill, "sex": sex}, truth, 1_200, fit, CLASSES, protect=("sex",))
    found = fairness.run(case)
    before, *tried = found.plot["remedies"]
    again = next(one for one in tried if one["remedy"] == fairness.REWEIGHTED)
    assert again["parity_difference"] < 0.5 * before["parity_difference"]
    assert again["accuracy"] < before["accuracy"]
    for one in tried:
        told = f"{one['remedy']}: {one['parity_difference']:.3f} at an accuracy of {one['accuracy']:.3f}"
        assert told in found.sentence
    assert "were not tried" in fairness.run(replace(case, refit=None)).sentence


def test_sets_that_hold_the_truth_keep_their_promise_and_those_of_changed_rows_do_not():
    case = case_of(3)
    kept = abstaining.run(case)
    assert kept.status == "good" and kept.low < 0.9 < kept.high
    assert [row["class"] for row in kept.rows] == ["no", "yes"]
    assert kept.plot["risk"][0]["answered"] == 1.0
    changed = replace(case, sealed=part_of(case.sealed.table, 9, wrong=0.5))
    assert abstaining.run(changed).status == "warning"


def test_what_abstaining_buys_is_shown_by_how_sure_it_is_and_by_how_far_its_members_are_apart():
    """Members that differ where the answer is wrong buy more than those that differ by chance."""
    case = case_of(3)
    wrong = case.sealed.answer.argmax(axis=1) != case.sealed.truth
    chance = np.random.default_rng(0).uniform(0, 1, len(wrong))
    assert "apart" not in abstaining.run(case).plot and "members" not in abstaining.run(case).sentence
    knowing, by_chance = (
        abstaining.run(replace(case, sealed=replace(case.sealed, apart=chance + weight * wrong)))
        for weight in (1.0, 0.0)
    )
    assert [line["wrong"] for line in (knowing.plot["apart"][0], by_chance.plot["apart"][0])] == [wrong.mean()] * 2
    assert knowing.plot["apart"][-1]["wrong"] == 0.0 < by_chance.plot["apart"][-1]["wrong"]
    tenth = np.argsort(chance + wrong, kind="stable")[-round(0.1 * len(wrong)) :]
    assert f"furthest apart, it is wrong on {100 * wrong[tenth].mean():.1f} %" in knowing.sentence


def test_of_a_number_abstaining_is_by_the_width_of_its_interval():
    random = np.random.default_rng(0)
    hard = random.choice([0.1, 2.0], 900)
    truth = random.normal(0, 10, 900)
    table = Table.of({"hard": hard, "y": truth})
    part = Part(table, truth, truth + random.normal(0, hard))
    case = replace(
        case_of(3),
        classes=None,
        sealed=part.take(np.arange(450)),
        chosen=part.take(np.arange(450, 900)),
        reach=lambda rows, answer: np.repeat(1.7 * np.asarray(rows.column("hard"))[:, None], 2, axis=1),
    )
    found = abstaining.run(case)
    assert found.status == "good" and found.plot["measure"] == "mean error"
    assert found.plot["risk"][-1]["wrong"] < 0.3 * found.plot["risk"][0]["wrong"]
    alike = abstaining.run(replace(case, reach=lambda rows, answer: np.full((rows.rows, 2), 3.0)))
    assert "risk" not in alike.plot  # an interval as wide for every row says of none that it is hard


def test_rates_and_differences_are_those_of_the_definitions():
    truth, said = np.array([1, 1, 0, 0, 1, 0]), np.array([1, 0, 1, 0, 1, 1])
    groups = np.array(["a", "a", "a", "b", "b", "b"], object)
    assert fairness.parity_difference(said, groups) == 0
    assert fairness.odds_difference(truth, said, groups) == pytest.approx(0.5)


def test_flipped_labels_are_found_first():
    case = case_of(3, wrong=0.0)
    assert suspects.run(case).answer == "none found"
    flipped = [5, 77, 300]
    case.sealed.answer[flipped] = np.eye(2)[case.sealed.truth[flipped]] * 0.9 + 0.05
    case.sealed.truth[flipped] = 1 - case.sealed.truth[flipped]
    found = suspects.run(case)
    assert {row["where"] for row in found.rows} == {f"row {row + 1}" for row in flipped}
    assert found.value == pytest.approx(3 / (2 * ROWS))


def test_a_slip_of_the_decimal_point_is_a_suspect_number():
    random = np.random.default_rng(0)
    truth = random.normal(100, 10, 500)
    part = Part(table_of(0, 500), truth.copy(), truth + random.normal(0, 3, 500))
    case = replace(case_of(), classes=None, chosen=None, sealed=part)
    assert suspects.run(case).answer == "none found"
    part.truth[42] *= 10
    assert [row["where"] for row in suspects.run(case).rows] == ["row 43"]


def test_a_year_costs_more_with_more_requests_and_the_cheaper_model_is_named():
    models = (Cost("network", 100, 0.01, 1e6), Cost("trees", 5, 0.001, 1e5))
    found = cost.run(replace(case_of(), costs=models))
    assert found.value == pytest.approx((365 * 10_000 * 0.01 + 12 * 100) / 3600)
    assert "by trees they would take" in found.sentence and "estimated" in found.sentence
    assert cost.run(replace(case_of(), costs=models, requests_per_day=1e6)).value > 50 * found.value
    assert cost.run(case_of()).answer == "not applicable"


# ------------------------------------------------------------------------------------------------------------------ leakage


def numbers(seed, rows=1_500):
    """Five numbers, of which three tell something of the price, and a category."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 5))
    price = 100 + 10 * (x[:, 0] + 0.8 * x[:, 1] - 0.5 * x[:, 2] + random.normal(0, 0.7, rows))
    columns = {f"x{place}": x[:, place].round(3).tolist() for place in range(5)}
    columns["town"] = random.choice(["here", "there", "far"], rows).tolist()
    return columns, price, random


LEAKS = {
    "copied": lambda price, random: price.tolist(),
    "scaled": lambda price, random: (price * 1.19 + 3).round(2).tolist(),
    "binned": lambda price, random: np.digitize(price, np.quantile(price, np.linspace(0, 1, 21)[1:-1])).tolist(),
    "noised": lambda price, random: (price + random.normal(0, 0.1 * price.std(), len(price))).round(2).tolist(),
    "ranked": lambda price, random: (np.argsort(np.argsort(price)) + 1_000).tolist(),
    "worded": lambda price, random: [
        f"band {band}" for band in np.digitize(price, np.quantile(price, np.linspace(0, 1, 31)[1:-1]))
    ],
}


def found_in(columns, target, kind):
    table = Table.of({**columns, "target": target})
    cut = int(0.8 * table.rows)
    train, check = table.take(np.arange(cut)), table.take(np.arange(cut, table.rows))
    words = ("town", "leak") if isinstance(columns.get("leak", [0])[0], str) else ("town",)
    inputs = [column(train, name, category if name in words else number) for name in columns]
    wanted = column(table, "target", kind, "target")
    return leakage.find((*inputs, wanted), wanted, train, check)


@pytest.mark.parametrize("how", LEAKS)
def test_a_column_that_gives_a_number_away_is_found(how):
    for seed in range(5):
        columns, price, random = numbers(seed)
        found = found_in({**columns, "leak": LEAKS[how](price, random)}, price.tolist(), number)
        assert found.rows[0]["column"] == "leak", (how, seed)
        assert "--columns leak=skip" in found.remedy and "--allow-leakage" in found.remedy
        if how in ("copied", "scaled", "ranked"):
            assert found.status == "bad"


@pytest.mark.parametrize("how", ["copied", "noised", "worded"])
def test_a_column_that_gives_a_class_away_is_found(how):
    for seed in range(5):
        columns, price, random = numbers(seed)
        kind = np.where(price > np.median(price), "dear", "cheap")
        flips = random.random(len(kind)) < (0.02 if how == "noised" else 0.0)
        leak = np.where(flips, "cheap", kind).tolist()
        if how == "worded":
            leak = [f"{word}-{random.integers(3)}" for word in leak]
        found = found_in({**columns, "leak": leak}, kind.tolist(), category)
        assert found.rows[0]["column"] == "leak", (how, seed)


def test_a_clean_table_raises_no_alarm():
    for seed in range(8):
        columns, price, _ = numbers(seed)
        assert found_in(columns, price.tolist(), number).answer == "nothing found", seed
        kind = np.where(price > np.median(price), "dear", "cheap").tolist()
        assert found_in(columns, kind, category).answer == "nothing found", seed


def test_copies_on_both_sides_are_found():
    for seed in range(5):
        columns, price, random = numbers(seed)
        again = random.permutation(len(price))[:300]
        nudged = {
            name: values
            + [value if isinstance(value, str) else value * (1 + 1e-6) for value in np.array(values, object)[again]]
            for name, values in columns.items()
        }
        found = found_in(nudged, [*price, *price[again]], number)
        assert found.rows[0]["leak"] == "copies", seed
        assert "--group" in found.remedy


def test_a_column_that_is_all_there_is_does_not_stop_a_fit():
    _, price, _ = numbers(0)
    assert found_in({"leak": price.tolist()}, price.tolist(), number).status == "warning"
