"""Rows that are like nothing in training are noticed, of every kind of column, and rows like those of training are not."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from fathom.bundle import arrays as stored
from fathom.bundle.answers import following, unlikeness
from fathom.data.encoding import Column
from fathom.data.modalities import audio, category, image, number, series, text
from fathom.data.table import Table
from fathom.errors import BundleError
from fathom.evidence import faithfulness, unlike
from fathom.evidence.contract import Case, Part

WORDS = [
    "the",
    "team",
    "played",
    "well",
    "and",
    "won",
    "a",
    "late",
    "match",
    "after",
    "the",
    "referee",
    "gave",
    "a",
    "goal",
    "to",
    "home",
    "side",
    "who",
    "had",
    "led",
    "since",
    "noon",
]


def numbers(seed, rows=600, moved=0.0):
    """Two numbers that go together, and a word."""
    random = np.random.default_rng(seed)
    size = random.normal(100, 20, rows) + moved
    made = {
        "size": size,
        "rooms": size / 25 + random.normal(0, 0.4, rows),
        "town": random.choice(["here", "there"], rows),
    }
    return Table.of({name: values.tolist() for name, values in made.items()})


def texts(seed, rows=400, words=WORDS):
    random = np.random.default_rng(seed)
    return Table.of({"note": [" ".join(random.choice(words, random.integers(20, 60))) for _ in range(rows)]})


def pictures(seed, rows=300, low=10, high=90):
    """Grey pictures with a light spot somewhere in the middle."""
    random = np.random.default_rng(seed)
    grid = random.integers(low, high, (rows, 1, 16, 16))
    for one, (down, across) in zip(grid, random.integers(4, 10, (rows, 2)), strict=True):
        one[:, down : down + 4, across : across + 4] = 220
    grid = grid.astype(np.uint8)
    return Table.of({"photo": pa.array([one.tobytes() for one in grid], pa.binary(256))})


def waves(seed, rows=300, noise=0.1):
    random = np.random.default_rng(seed)
    start, time = random.uniform(0, 6, (rows, 1)), np.arange(48)[None]
    return Table.of({"track": (np.sin(time / 4 + start) + random.normal(0, noise, (rows, 48))).tolist()})


def sounds(seed, rows=200):
    random = np.random.default_rng(seed)
    bands = np.clip(
        80 + 10 * np.arange(audio.WIDTH) / audio.WIDTH + random.normal(0, 4, (rows, 30, audio.WIDTH)), 1, 255
    )
    from fathom.data.cells import byte_steps

    return Table.of({"call": byte_steps.packed(list(bands.astype(np.uint8)), audio.WIDTH)})


def of_pictures(cells):
    return image.State(16, 16, 1, (60.0,), (40.0,))


PLANTED = {
    "number and category": (numbers, {"size": number, "rooms": number, "town": category}, numbers(9, moved=400)),
    "text": (texts, {"note": text}, texts(9, words=["zxqv", "brmf", "plonk", "snorf", "gritchel", "mulp"])),
    "image": (pictures, {"photo": image}, pictures(9, low=1, high=255)),
    "series": (waves, {"track": series}, waves(9, noise=2.0)),
    "audio": (
        sounds,
        {"call": audio},
        Table.of(
            {
                "call": audio._compact(
                    audio.State(30, 1, 11_025.0, (80.0,) * audio.WIDTH, (4.0,) * audio.WIDTH), audio.sample(60, 0)
                )
            }
        ),
    ),
}


def columns_of(kinds, table):
    learned = {}
    for name, kind in kinds.items():
        cells = table.column(name)
        if kind is image:
            state = of_pictures(cells)
        elif kind is audio:
            state = audio.State(30, 1, 11_025.0, (80.0,) * audio.WIDTH, (4.0,) * audio.WIDTH)
        else:
            state = kind.learn(cells)
        learned[name] = Column(name, "input", kind, 1.0, "planted", state)
    return tuple(learned.values())


@pytest.fixture(params=PLANTED, scope="module")
def planted(request):
    make, kinds, far = PLANTED[request.param]
    train = make(0)
    columns = columns_of(kinds, train)
    return columns, unlikeness.learn(columns, train, make(1)), make(2), far


def test_far_rows_are_unlike_and_rows_like_those_of_training_are_not(planted):
    _, learned, usual, far = planted
    assert learned.unlike(usual).mean() < 0.04
    assert unlike.area(learned.scores(usual), learned.scores(far)) > 0.95
    assert learned.unlike(far).mean() > 0.9


def test_the_check_passes_on_usual_rows_and_warns_of_others(planted):
    columns, learned, usual, far = planted
    target = replace(columns[0], role="target")
    case = Case(columns, target, None, Part(usual, np.zeros(usual.rows), np.zeros(usual.rows)), lambda rows: None)
    assert unlike.run(case).answer == "not applicable"
    assert unlike.run(replace(case, unlikeness=learned)).answer != "too many test rows are unlike"
    moved = replace(case, unlikeness=learned, sealed=Part(far, np.zeros(far.rows), np.zeros(far.rows)))
    found = unlike.run(moved)
    assert found.status == "warning" and found.answer == "too many test rows are unlike" and found.low > 0.05
    assert any("unlike: row" in row["set"] for row in found.rows)


def test_a_bundle_of_long_texts_calls_blank_and_nonsense_unlike():
    columns = columns_of({"note": text}, texts(0))
    learned = unlikeness.learn(columns, texts(0), texts(1))
    odd = ["", " ", None, "the", "?!", "xkcd qqqq zzzz wwww xkcd qqqq", "42 42 42", "很好的地方 很好的地方 很好的地方"]
    assert learned.unlike(Table.of({"note": pa.array(odd, pa.string())})).all()


def told_in_order(seed, rows=300, order=WORDS):
    """Texts in which a word is mostly followed by the next of an order."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        steps = np.where(random.random(random.integers(20, 200)) < 0.9, 1, random.integers(1, len(order)))
        made.append(" ".join(order[place % len(order)] for place in random.integers(9) + np.cumsum(steps)))
    return Table.of({"note": made, "subject": [" ".join(text.split()[:3]) for text in made]})


def test_texts_of_the_same_words_in_another_order_are_told_by_what_follows_what():
    table = told_in_order(0)
    columns = columns_of({"note": text, "subject": text}, table)
    learned = unlikeness.learn(columns, table, told_in_order(1))
    usual, other = told_in_order(2), told_in_order(3, order=list(np.random.default_rng(5).permutation(WORDS)))
    assert learned.unlike(usual).mean() < 0.05
    assert unlike.area(learned.scores(usual), learned.scores(other)) > 0.95


def test_blank_texts_are_unlike_though_a_few_of_training_are_blank_and_usual_ones_are_not():
    blank = ["", " ", ".", "the", None]
    train, aside, usual = ([*texts(seed, 1_200).column("note").to_pylist(), *blank[:3]] for seed in range(3))
    table = Table.of({"note": train})
    columns = columns_of({"note": text}, table)
    columns = (replace(columns[0], missing=columns[0].kind.missing(table.column("note")).mean()),)
    learned = unlikeness.learn(columns, table, Table.of({"note": aside}))
    assert columns[0].missing < 0.0025
    assert learned.unlike(Table.of({"note": pa.array(blank, pa.string())})).all()
    assert learned.unlike(Table.of({"note": usual})).mean() < 0.02
    often = Table.of({"note": [*train, *[""] * 40]})
    learned = unlikeness.learn(columns_of({"note": text}, often), often, Table.of({"note": [*aside, *[""] * 40]}))
    assert learned.arrays["least"].tolist() == [0]


def test_of_few_pairs_the_share_of_new_ones_says_little():
    words = ["team", "played", "well", "and", "won", "a", "late", "match"]
    table = Table.of({"note": [" ".join(words * 3)] * 40})
    columns = columns_of({"note": text}, table)
    arrays, _ = following.learn(columns, table)
    few, many = (
        following.codes_of(columns[0], Table.of({"note": [" ".join(order)]}))
        for order in (["won", "team"], words[::-1] * 3)
    )
    shares = [new / there for new, there in (following.new_pairs(codes, arrays, 0) for codes in (few, many))]
    assert 0 < shares[0] < 0.5 * shares[1]
    before = {name: array for name, array in arrays.items() if not name.startswith("skips")}
    new, there = following.new_pairs(many, before, 0)
    assert there == (many > 0).sum() - 1 and 0 < new <= there


def test_training_rows_that_are_left_over_make_one_in_a_hundred_more_certain():
    away = {False: [], True: []}
    for seed in range(12):
        train, aside, usual = (numbers(10 * seed + part, rows=rows) for part, rows in enumerate((3_800, 120, 2_000)))
        columns = columns_of({"size": number, "rooms": number, "town": category}, train)
        for lend, found in away.items():
            learned = unlikeness.learn(columns, train, aside, lend=lend)
            found.append(learned.unlike(usual).mean() - unlikeness.SHARE)
    assert np.std(away[True]) < 0.6 * np.std(away[False])
    assert abs(np.mean(away[True])) < 0.003


def test_a_bundle_of_texts_of_before_is_read_as_it_was():
    table = texts(0)
    columns = columns_of({"note": text}, table)
    arrays = unlikeness.learn(columns, table, texts(1)).arrays
    arrays = {name: array for name, array in arrays.items() if name != "least" and not name.startswith("skips")}
    before = unlikeness.opened({unlikeness.NAME: stored.write(arrays)}, columns)
    odd = Table.of({"note": pa.array(["", None, "the"], pa.string())})
    assert dict(before.views(odd))["empty"].tolist() == [np.inf, np.inf, -np.inf]
    assert before.unlike(odd).all() and before.unlike(texts(2)).mean() < 0.05


def test_a_bundle_of_before_weighs_all_views_alike():
    table = numbers(0)
    columns = columns_of({"size": number, "rooms": number, "town": category}, table)
    learned = unlikeness.learn(columns, table, numbers(1))
    views = [name for name, _ in learned.views(table) if name != "empty"]
    assert views == ["features"] and learned.arrays["usual"].shape == (1, 3)
    arrays = {**learned.arrays, "usual": learned.arrays["usual"][:, :2], "rest": np.array([1.0])}
    before = unlikeness.opened({unlikeness.NAME: stored.write(arrays)}, columns)
    assert np.isfinite(before.scores(numbers(2))).all() and before.unlike(numbers(9, moved=400)).all()


def test_shuffled_columns_are_near_and_told_by_what_goes_together():
    table = numbers(0)
    columns = columns_of({"size": number, "rooms": number, "town": category}, table)
    learned = unlikeness.learn(columns, table, numbers(1))
    usual = numbers(2)
    assert 0.6 < unlike.area(learned.scores(usual), learned.scores(unlike.shuffled(usual, 0))) <= 1


def test_no_order_of_the_rows_and_no_way_through_a_file_changes_a_score(planted):
    columns, learned, usual, _ = planted
    again = unlikeness.opened({unlikeness.NAME: learned.to_bytes()}, columns)
    back = usual.take(np.arange(usual.rows)[::-1])
    assert again.limit == learned.limit
    assert again.scores(back)[::-1] == pytest.approx(learned.scores(usual), abs=1e-9)


def test_too_few_rows_learn_nothing_and_a_file_that_is_none_is_refused():
    table = numbers(0, rows=20)
    columns = columns_of({"size": number, "rooms": number, "town": category}, table)
    assert unlikeness.learn(columns, table, table) is None
    assert unlikeness.opened({}, columns) is None
    for content in (
        b"",
        b"\xff" * 40,
        stored.write({"limit": np.zeros(1)}),
        stored.write({"limit": np.zeros(1)})[:-3],
    ):
        with pytest.raises(BundleError, match=r"unlike\.safetensors"):
            unlikeness.opened({unlikeness.NAME: content}, columns)


def test_arrays_are_written_as_the_library_of_the_format_writes_them():
    from safetensors.numpy import load, save

    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([1, 2], np.int32)}
    assert {name: array.tolist() for name, array in load(stored.write(arrays)).items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    assert stored.read(save(arrays), "x")["b"].tolist() == arrays["b"].tolist()


def test_predictions_say_that_nothing_like_a_row_was_seen(two_targets, flights):
    odd = flights.take([0]).to_pylist()[0] | {
        "distance_miles": "9e7",
        "wind_speed_mph": "-900",
        "humidity_percent": "5000",
    }
    found = two_targets.predict([odd], doubt=True)
    assert found.column("temperature_f_doubt").to_pylist() == ["nothing like this was seen"]
    assert found.column("origin_doubt").to_pylist() == ["nothing like this was seen"]
    usual = two_targets.predict(flights, doubt=True).column("temperature_f_doubt").to_pylist()
    assert usual.count("nothing like this was seen") < 0.05 * len(usual)


# ------------------------------------------------------------------------------------------------------------- faithfulness


def reasoned(answer, seed=0):
    table = numbers(seed)
    random = np.random.default_rng(seed)
    for place in range(6):
        table = Table.of(
            {**{name: table.column(name) for name in table.names}, f"n{place}": random.normal(size=table.rows)}
        )
    kinds = dict.fromkeys(table.names, number) | {"town": category}
    columns = columns_of(kinds, table)
    part = Part(table, np.zeros(table.rows), answer(table))
    return Case(columns, replace(columns[0], role="target"), None, part, answer, train=table, chosen=part)


def test_reasons_of_a_model_that_has_some_are_found_faithful():
    def answer(rows):
        return 3 * np.array(rows.column("n2"), float) + np.array(rows.column("n4"), float)

    found = faithfulness.run(reasoned(answer))
    assert found.status == "good" and found.low > 0
    assert [row["method"] for row in found.rows] == ["shap", "lime", "occlusion"] and found.plot["agreement"] > 0.5


def test_a_model_that_answers_by_chance_has_no_reasons_to_be_found():
    def answer(rows):  # other for every row and every change of any cell, as if drawn
        numbers = sum(np.array(rows.column(name), float) for name in rows.names if name != "town")
        return np.sin(1e7 * (numbers + 0.1 * (np.array(rows.column("town").to_pylist()) == "here")))

    assert faithfulness.run(reasoned(answer)).status == "warning"
    assert faithfulness.run(reasoned(lambda rows: np.zeros(rows.rows))).answer == "there are none"


def test_no_order_of_the_rows_changes_what_the_checks_find():
    def answer(rows):
        return 3 * np.array(rows.column("n2"), float) + np.array(rows.column("n4"), float)

    case = reasoned(answer)
    back = np.arange(case.sealed.table.rows)[::-1]
    turned = Part(case.sealed.table.take(back), case.sealed.truth[back], case.sealed.answer[back])
    learned, again = (unlikeness.learn(case.columns, table, table) for table in (case.train, case.train.take(back)))
    first = replace(case, unlikeness=learned)
    other = replace(case, unlikeness=again, sealed=turned, train=case.train.take(back), chosen=turned)
    for check in (unlike, faithfulness):
        one, two = check.run(first), check.run(other)
        assert (one.value, one.low, one.sentence) == (two.value, two.low, two.sentence)
