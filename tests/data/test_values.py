"""Cells of every type become plain values and words."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.cells import values as cells


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array(["a", None]), "large_string", ["a", None]),
        (pa.array(["a", None]).cast(pa.string_view()), "large_string", ["a", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), "large_string", ["a", None, "a"]),
        (pa.array([1, 1, 2]).dictionary_encode(), "int64", [1, 1, 2]),
        (pa.chunked_array([pa.array([1]), pa.array([2])]), "int64", [1, 2]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "b"])), "large_string", ["a", "a", "b"]),
        (pa.nulls(2), "large_string", [None, None]),
        (pa.array([b"a", None]), "large_string", ["a", None]),
        (pa.array([b"\xff", None]), "large_string", ["<binary>", None]),
        (pa.array([[1], None]), "large_string", ["<list<item: int64>>", None]),
        (pa.array([1.5]), "double", [1.5]),
    ],
)
def test_values_become_plain(values: pa.Array, kind: str, expected: list[object]) -> None:
    made = cells.plain(values)
    assert str(made.type) == kind and made.to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([" a ", "\u00a0b\t", None]), ["a", "b", None]),
        (pa.array([3, -1, None]), ["3", "-1", None]),
        (pa.array([3.0, 2.5, 1e20, np.nan, None, np.inf, -0.0]), ["3", "2.5", "1e+20", None, None, "inf", "0"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([decimal.Decimal("2.50"), decimal.Decimal("20.00")]), ["2.5", "20"]),
        (pa.array([datetime.date(2024, 1, 2)]), ["2024-01-02"]),
        (pa.array([datetime.datetime(2024, 1, 2, 3, 4)]), ["2024-01-02 03:04:00"]),
        (pa.array([datetime.datetime(2024, 1, 2, 3, 4, 0, 500)]), ["2024-01-02 03:04:00.000500"]),
        (pa.array([datetime.timedelta(seconds=2)]), ["2000000"]),
    ],
)
def test_each_value_has_one_word(values: pa.Array, expected: list[str | None]) -> None:
    assert cells.words_of(values).to_pylist() == expected


@pytest.mark.parametrize(
    "word",
    ["", " ", "NA", "n/a", "NaN", "NULL", "none", "Missing", "?", "-", "--", ".", "#N/A", "Not Available", "Unknown"],
)
def test_words_for_missing_are_known_in_any_case(word: str) -> None:
    assert cells.missing_mask(pa.array([f" {word} ", "0", "x" * 100])).tolist() == [True, False, False]


def test_slices_of_a_column_are_marked_as_the_column_is() -> None:
    column = pa.array(["a", None, "NA", "b", ""])
    assert cells.missing_mask(column.slice(1, 3)).tolist() == [True, True, False]
    assert cells.missing_mask(pa.array([1.0, np.nan, None]).slice(1)).tolist() == [True, True]


def test_types_are_read_from_their_names() -> None:
    for kind in (
        pa.int8(),
        pa.float64(),
        pa.string(),
        pa.bool_(),
        pa.date32(),
        pa.timestamp("us", "Europe/Berlin"),
        pa.decimal128(5, 2),
    ):
        assert cells.kind_of(str(kind)) == kind
    assert cells.restored(pa.array(["a"]), "int64").to_pylist() == ["a"]
    assert cells.restored(pa.array(["a"]), "no type").to_pylist() == ["a"]


def test_slips_of_the_pen_hit_their_share_and_keep_nulls() -> None:
    column = pa.array(["nurse", None, "Köchin", ""] * 1_000)
    worse = cells.mistype(column, 0.2, np.random.default_rng(0))
    pairs = list(zip(column.to_pylist(), worse.to_pylist(), strict=True))
    assert all(other is None for one, other in pairs if one is None)
    assert 0.15 < np.mean([one != other for one, other in pairs if one]) < 0.25
    assert len({other for one, other in pairs if one == "nurse"}) == 6
    assert len(cells.mistype(pa.array([], pa.string()), 0.2, np.random.default_rng(0))) == 0


def test_evenly_spread_cells_hold_both_ends() -> None:
    assert cells.evenly(pa.array(range(1_000)), 3).to_pylist() == [0, 499, 999]
    assert cells.evenly(pa.array([1, 2]), 3).to_pylist() == [1, 2]
