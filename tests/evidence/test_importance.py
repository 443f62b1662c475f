"""Importance by shuffling: what the model reads ranks by how much it says, what it does not read is exactly 0."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import fathom
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.evidence.importance import by_shuffling

ROWS = 500


def homes() -> tuple[Table, np.ndarray]:
    generator = np.random.default_rng(0)
    size, age = generator.normal(size=(2, ROWS))
    kind = generator.choice(["flat", "house"], ROWS)
    table = Table.of({"age": age, "size": size, "kind": kind.tolist(), "colour": ["red", "blue"] * (ROWS // 2)})
    return table, 3 * size - age + 2.0 * (kind == "house") + 0.1 * generator.normal(size=ROWS)


def losses(table: Table) -> np.ndarray:
    house = pc.equal(table.column("kind"), "house").to_numpy(zero_copy_only=False)
    return np.abs(3 * table.column("size").to_numpy() - table.column("age").to_numpy() + 2.0 * house - homes()[1])


def test_columns_rank_by_how_much_they_say() -> None:
    found = by_shuffling(losses, homes()[0], ["colour", "age", "size", "kind"], unit="in the target's unit")
    assert [one["column"] for one in found] == ["size", "age", "kind", "colour"]
    for one in found[:3]:
        assert 0 < one["low"] < one["value"] < one["high"]
    assert found[3] == {"column": "colour", "value": 0.0, "low": 0.0, "high": 0.0, "unit": "in the target's unit"}


def test_the_value_is_that_of_shuffling_by_hand() -> None:
    """Two independent normal values differ by 2 / sqrt(pi) on average; the slope is 3."""
    (size,) = by_shuffling(losses, homes()[0], ["size"], repeats=5)
    assert size["value"] == pytest.approx(3 * 2 / np.sqrt(np.pi), rel=0.1)


def test_a_column_of_noise_has_an_interval_around_zero() -> None:
    table, truth = homes()
    found = by_shuffling(lambda rows: np.abs(truth - 0.01 * rows.column("age").to_numpy() ** 2), table, ["age"])
    assert found[0]["low"] < 0 < found[0]["high"]


def test_the_same_seed_gives_the_same_and_the_table_is_left_alone() -> None:
    table, _ = homes()
    before = table.to_pylist()
    assert by_shuffling(losses, table, ["size"], seed=3) == by_shuffling(losses, table, ["size"], seed=3)
    assert by_shuffling(losses, table, ["size"], seed=3) != by_shuffling(losses, table, ["size"], seed=4)
    assert table.to_pylist() == before


def test_more_repeats_call_the_model_more_often() -> None:
    calls = []
    by_shuffling(lambda rows: (calls.append(1), losses(rows))[1], homes()[0], ["size", "age"], repeats=4)
    assert len(calls) == 1 + 2 * 4


def test_one_row_has_no_interval_and_no_rows_have_no_importance() -> None:
    one = Table.of({"size": [1.0]})
    assert by_shuffling(lambda rows: np.ones(1), one, ["size"]) == [
        {"column": "size", "value": 0.0, "low": None, "high": None, "unit": ""}
    ]


def test_an_unknown_column_is_named_with_its_neighbour() -> None:
    with pytest.raises(TableError) as error:
        by_shuffling(losses, homes()[0], ["sise"])
    assert str(error.value) == (
        "There is no column 'sise' in table. Did you mean 'size'? The columns are: 'age', 'size', 'kind', 'colour'."
    )


def test_no_order_of_the_rows_moves_what_is_explained(two_targets, flights):
    some = flights.take(np.arange(600))
    mixed = some.take(np.random.default_rng(0).permutation(600))
    one, other = (fathom.explain(two_targets, rows) for rows in (some, mixed))
    assert one["importance"] == other["importance"] and one["dependence"] == other["dependence"]


def test_columns_that_stay_as_they_are_are_made_once() -> None:
    made: list[str] = []

    def numbers(table: Table, name: str) -> np.ndarray:
        def make(cells: pa.Array) -> np.ndarray:
            made.append(name)
            return np.asarray(cells.to_numpy(), np.float64)

        return table.made(name, "numbers", numbers, make)

    def told(table: Table) -> np.ndarray:
        return np.abs(3 * numbers(table, "size") - numbers(table, "age") - homes()[1])

    found = by_shuffling(told, homes()[0], ["size", "age"], repeats=4)
    assert made == ["size", "age", *["size"] * 4, *["age"] * 4]
    by_hand = by_shuffling(
        lambda table: np.abs(3 * table.column("size").to_numpy() - table.column("age").to_numpy() - homes()[1]),
        homes()[0],
        ["size", "age"],
        repeats=4,
    )
    assert found == by_hand


def test_a_table_forgets_a_column_that_is_replaced() -> None:
    table = Table.of({"size": [1.0, 2.0]}).remembering()
    assert table.made("size", "sum", sum, lambda cells: pc.sum(cells).as_py()) == 3.0
    other = table.with_column("size", pa.array([5.0, 6.0]))
    assert other.made("size", "sum", sum, lambda cells: pc.sum(cells).as_py()) == 11.0
    assert table.made("size", "sum", len, lambda cells: len(cells)) == 2  # by another rule
    assert table.take([1]).made("size", "sum", len, lambda cells: len(cells)) == 1
