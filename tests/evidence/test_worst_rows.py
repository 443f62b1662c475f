"""The worst rows: the right ones, in order, where they stand, as JSON."""

import datetime
import json

import numpy as np

from fathom.data.table import Source, Table
from fathom.evidence.worst_rows import find


def homes(rows: int = 30) -> tuple[Table, np.ndarray]:
    price = np.arange(rows, dtype=np.float64)
    table = Table.of({"rooms": np.arange(rows) % 5, "price": price})
    return Table(table.arrow, sources=(Source("homes.csv", rows, first_line=2),), name="homes"), price


def test_the_ten_largest_errors_come_first_with_file_and_line() -> None:
    table, price = homes()
    answer = price.copy()
    answer[[3, 17, 8]] += [5.0, -50.0, 20.0]
    found = find(table, "price", price, answer)
    assert len(found) == 10
    assert found[:3] == [
        {"where": "homes.csv, line 19", "target": "price", "truth": 17.0, "predicted": -33.0, "loss": 50.0, "row": {"rooms": 2}},
        {"where": "homes.csv, line 10", "target": "price", "truth": 8.0, "predicted": 28.0, "loss": 20.0, "row": {"rooms": 3}},
        {"where": "homes.csv, line 5", "target": "price", "truth": 3.0, "predicted": 8.0, "loss": 5.0, "row": {"rooms": 3}},
    ]  # fmt: skip
    assert [one["where"] for one in found[3:5]] == ["homes.csv, line 2", "homes.csv, line 3"]  # equal: table order


def test_rows_taken_from_a_table_still_name_their_own_line() -> None:
    table, price = homes()
    rows = np.array([20, 4, 11])
    (worst,) = find(table.take(rows), "price", price[rows], price[rows] + [0, 9, 1], count=1)
    assert (worst["where"], worst["truth"]) == ("homes.csv, line 6", 4.0)


def test_classes_are_named_and_one_never_seen_is_shown_as_it_stands() -> None:
    table = Table.of({"age": ["41", None, "7"], "job": ["cook", "nurse", "diver"]})
    answer = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]])
    found = find(table, "job", np.array([0, 1, -1]), answer, classes=["cook", "nurse"])
    assert [(one["truth"], one["predicted"], round(one["loss"], 2), one["row"]) for one in found] == [
        ("diver", "cook", 16.12, {"age": "7"}),
        ("nurse", "cook", 1.61, {"age": None}),
        ("cook", "cook", 0.11, {"age": "41"}),
    ]


def test_every_value_is_json_whatever_the_column_holds() -> None:
    table = Table.of(
        {
            "day": [datetime.date(2024, 2, 29)],
            "photo": [b"\x89PNG"],
            "note": ["long " * 100],
            "share": [float("nan")],
            "yes": [True],
            "price": [1.0],
        }
    )
    (worst,) = find(table, "price", np.array([1.0]), np.array([np.nan]))
    assert worst["row"] == {
        "day": "2024-02-29",
        "photo": "4 bytes",
        "note": ("long " * 40)[:199] + "…",
        "share": None,
        "yes": True,
    }
    assert worst["loss"] is None and worst["predicted"] is None
    assert json.loads(json.dumps(worst, allow_nan=False)) == worst


def test_only_the_asked_for_columns_are_shown_and_few_rows_give_few() -> None:
    table, price = homes(3)
    found = find(table, "price", price, price, columns=[])
    assert [one["row"] for one in found] == [{}, {}, {}]
