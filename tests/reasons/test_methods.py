"""Reasons are what the definitions say: shares sum to the answer, equal exact enumeration, and columns that do not matter come last."""

from itertools import combinations
from math import factorial

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.encoding import Column
from fathom.data.modalities import audio, category, image, number, series, text
from fathom.data.table import Table
from fathom.reasons import METHODS, lime, occlusion, shapley
from fathom.reasons.asking import Subject, question_of
from fathom.reasons.contract import Part, Question
from fathom.reasons.counterfactual import smallest_change


def asked(value, count, **changes):
    return Question([Part(f"x{place}", f"x{place}") for place in range(count)], value, **changes)


def crooked(weights, seed=0):
    """A function of sets with main effects and effects of pairs."""
    random = np.random.default_rng(seed)
    pairs = random.normal(size=(len(weights), len(weights))) * 0.3

    def value(kept):
        there = kept.astype(float)
        return 1.0 + there @ np.asarray(weights) + np.einsum("ri,ij,rj->r", there, pairs, there)

    return value


def by_definition(value, count):
    """Shapley, 1953, formula by formula."""
    shares = np.zeros(count)
    for piece in range(count):
        others = [other for other in range(count) if other != piece]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for members in combinations(others, size):
                kept = np.zeros((2, count), bool)
                kept[:, list(members)] = True
                kept[1, piece] = True
                without, along = value(kept)
                shares[piece] += weight * (along - without)
    return shares


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_shap_values_of_few_pieces_are_those_of_the_definition(count):
    value = crooked(np.arange(count) - 1.0, seed=count)
    found = shapley.shares(asked(value, count))
    assert found.values == pytest.approx(by_definition(value, count), abs=1e-9)
    assert found.base + found.values.sum() == pytest.approx(found.answer, abs=1e-9)


@pytest.mark.parametrize("count", [13, 40])
def test_shap_values_of_many_pieces_are_near_and_sum_exactly(count):
    weights = np.linspace(-2, 2, count)
    found = shapley.shares(asked(crooked(weights), count, most=3_000))
    pairs = np.random.default_rng(0).normal(size=(count, count)) * 0.3
    exact = weights + np.diag(pairs) + (pairs + pairs.T - 2 * np.diag(np.diag(pairs))).sum(1) / 2
    assert found.base + found.values.sum() == pytest.approx(found.answer, abs=1e-9)
    assert np.abs(found.values - exact).max() < 0.25 and np.corrcoef(found.values, exact)[0, 1] > 0.99


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.NAME)
def test_pieces_that_do_not_matter_by_construction_rank_last(method):
    def value(kept):  # four of ten matter, two of them together only
        return 2.0 * kept[:, 0] - 1.5 * kept[:, 3] + 3.0 * kept[:, 5] * kept[:, 8]

    found = np.abs(method.shares(asked(value, 10, most=2_000)).values)
    assert set(np.argsort(-found)[:4]) == {0, 3, 5, 8}
    if method is not lime:
        assert found[[1, 2, 4, 6, 7, 9]].max() < 1e-9


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.NAME)
def test_the_same_question_gets_the_same_shares(method):
    one, two = (method.shares(asked(crooked(np.arange(20.0)), 20, most=300, seed=4)) for _ in range(2))
    assert one.values.tolist() == two.values.tolist()


def test_occlusion_is_the_fall_without_a_piece_and_two_that_say_the_same_hide_each_other():
    found = occlusion.shares(asked(lambda kept: (kept[:, 0] | kept[:, 1]) * 1.0, 2))
    assert found.values.tolist() == [0.0, 0.0]


# ----------------------------------------------------------------------------------------------------- rows of real columns


def column(name, kind, cells):
    return Column(name, "input", kind, 1.0, "planted", kind.learn(cells))


def test_a_column_that_is_taken_away_is_answered_as_the_mean_over_the_rows_that_stand_in():
    others = Table.of({"size": [1.0, 3.0], "town": ["here", "there"]})
    columns = [column("size", number, others.column("size")), column("town", category, others.column("town"))]
    row = Table.of({"size": ["10"], "town": ["here"]})  # cells of a text file beside typed ones

    def answer(rows):
        return np.array([float(cell) for cell in rows.column("size").to_pylist()])

    question = question_of(Subject(columns, row, others, answer))
    kept = np.array([[True, True], [False, True], [True, False]])
    assert question.value(kept).tolist() == [10.0, 2.0, 10.0]


def counted(name, word):
    """A model whose answer is how often a word stands in a text."""
    return lambda rows: np.array([float((cell or "").split().count(word)) for cell in rows.column(name).to_pylist()])


def test_the_word_that_an_answer_hangs_on_is_named_and_so_is_where_it_stands():
    cells = pa.array(["the film was dreadful and long", "a fine day out with good friends"] * 20)
    reader = column("note", text, cells)
    row = Table.of({"note": ["I found it dreadful in all its parts"]})
    question = question_of(Subject([reader], row, Table.of({}), counted("note", "dreadful")))
    found = shapley.shares(Question(question.parts, question.value, most=600))
    best = question.parts[int(np.argmax(found.values))]
    assert best.name == "dreadful" and row.column("note")[0].as_py()[slice(*map(int, best.place))] == "dreadful"
    assert found.values.max() == pytest.approx(1.0, abs=1e-6)


def test_the_patch_that_an_answer_hangs_on_is_the_one_where_the_picture_differs():
    cells = image.sample(20, 0)
    reader = column("photo", image, cells)
    grid = np.full(reader.state.size, 40, np.uint8)
    height, width = reader.state.height, reader.state.width
    grid[:, : height // 7, : width // 7] = 250  # a light corner
    row = Table.of({"photo": pa.array([grid.tobytes()], pa.binary(grid.size))})

    def answer(rows):
        return reader.kind.encode(reader.state, rows.column("photo")).max(axis=(1, 2, 3)).astype(float)

    found = occlusion.shares(question_of(Subject([reader], row, Table.of({}), answer)))
    assert np.argmax(found.values) == 0 and found.values[0] > 100 and np.abs(found.values[2:]).max() == 0


@pytest.mark.parametrize(("kind", "cells"), [(series, pa.array([list(range(40)), [1, 5, 2] * 10])), (audio, None)])
def test_stretches_of_series_and_recordings_can_be_left_out(kind, cells):
    cells = audio.sample(3, 0) if cells is None else cells
    reader = column("track", kind, cells)
    one = cells.slice(0, 1)
    pieces = kind.pieces_of(reader.state, one)
    gone = np.zeros((2, len(pieces)), bool)
    gone[1, 3] = True
    whole, without = kind.encode(reader.state, kind.without(reader.state, one, gone))
    assert np.array_equal(whole, kind.encode(reader.state, one)[0])
    changed = np.flatnonzero((whole != without).any(axis=1)) / max(1, int(whole[:, 0].sum()))
    low, high = pieces[3].place
    if kind is audio:
        assert len(changed) and changed.min() >= low - 0.02 and changed.max() <= high + 0.02


def test_a_cell_that_holds_nothing_has_no_pieces():
    reader = column("note", text, pa.array(["some words here to learn from"] * 5))
    assert text.pieces_of(reader.state, pa.array([None], pa.string())) == ()


# -------------------------------------------------------------------------------------------------------- the smallest change


def homes():
    random = np.random.default_rng(0)
    rows = Table.of(
        {
            "size": random.uniform(20, 200, 60).round().astype(int).tolist(),
            "town": random.choice(["here", "there"], 60).tolist(),
            "door": random.choice(["red", "blue"], 60).tolist(),
        }
    )
    return rows, [column("size", number, rows.column("size"))] + [
        column(name, category, rows.column(name)) for name in ("town", "door")
    ]


def dear(rows):
    size = np.array([float(cell) for cell in rows.column("size").to_pylist()])
    there = np.array(rows.column("town").to_pylist()) == "there"
    return size + 60 * there


def test_the_smallest_change_is_of_one_column_and_as_near_as_it_can_be():
    others, columns = homes()
    row = Table.of({"size": [80], "town": ["here"], "door": ["red"]})
    found = smallest_change(Subject(columns, row, others, dear), lambda rows: (dear(rows) > 100, dear(rows)))
    (change,) = found.changes
    assert change.column == "size" and 100 < change.after < 110 and isinstance(change.after, int)
    assert dear(found.row)[0] > 100


def test_two_columns_are_changed_where_one_is_not_enough():
    others, columns = homes()
    row = Table.of({"size": [80], "town": ["here"], "door": ["red"]})
    found = smallest_change(Subject(columns, row, others, dear), lambda rows: (dear(rows) > 230, dear(rows)))
    assert {change.column for change in found.changes} == {"size", "town"}


def test_where_nothing_flips_the_answer_nothing_is_found():
    others, columns = homes()
    row = Table.of({"size": [80], "town": ["here"], "door": ["red"]})
    assert smallest_change(Subject(columns, row, others, dear), lambda rows: (dear(rows) > 1e6, dear(rows))) is None


def test_of_a_text_the_fewest_words_are_taken_away():
    reader = column("note", text, pa.array(["the film was dreadful and long", "a fine day out"] * 20))
    row = Table.of({"note": ["so dreadful it was, dreadful to the end"]})
    many = counted("note", "dreadful")
    found = smallest_change(Subject([reader], row, Table.of({}), many), lambda rows: (many(rows) < 1, -many(rows)))
    assert found.changes[0].gone == ("dreadful", "dreadful")
