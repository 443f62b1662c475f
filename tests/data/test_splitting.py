"""Rows keep their part whatever happens around them, and the shares are what is promised."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.rows.splitting import TEST, TRAIN, VALIDATION, by_rank, split
from fathom.data.table import Table
from fathom.errors import TableError


def table(rows: int, seed: int = 0) -> Table:
    generator = np.random.default_rng(seed)
    return Table.of({"x": generator.normal(size=rows), "word": [f"w{i}" for i in generator.integers(0, rows, rows)]})


def parts_by_row(source: Table, **options) -> dict[tuple, int]:
    parts = split(source, **options).part
    return {tuple(sorted(row.items())): int(part) for row, part in zip(source.to_pylist(), parts, strict=True)}


def test_the_shares_are_70_15_15():
    counts = np.bincount(split(table(20_000)).part) / 20_000
    np.testing.assert_allclose(counts, [0.70, 0.15, 0.15], atol=0.01)
    assert np.bincount(split(table(200)).part).tolist() == [140, 30, 30]


def test_a_row_stays_in_its_part_when_rows_are_shuffled_added_or_columns_reordered():
    whole = table(5_000)
    before = parts_by_row(whole)
    shuffled = whole.take(np.random.default_rng(1).permutation(5_000)).select(["word", "x"])
    assert parts_by_row(shuffled) == before
    more = Table(pa.concat_tables([whole.arrow, table(3_000, seed=9).arrow]))
    after = parts_by_row(more)
    assert all(after[row] == part for row, part in before.items())


def test_equal_rows_stay_together_even_in_a_small_table():
    twice = Table(pa.concat_tables([table(60).arrow] * 5))
    parts = split(twice).part.reshape(5, 60)
    assert (parts == parts[0]).all()
    assert set(parts[0]) == {TRAIN, VALIDATION, TEST}


def test_groups_stay_together_and_the_share_of_groups_is_kept():
    rows = Table.of({"patient": [f"p{i // 7}" for i in range(14_000)], "x": list(range(14_000))})
    parts = split(rows, group="patient").part.reshape(-1, 7)
    assert (parts == parts[:, :1]).all()
    assert 0.11 < (parts[:, 0] == TEST).mean() < 0.19


def test_the_latest_rows_are_test_rows_and_equal_moments_stay_together():
    moments = np.repeat(np.arange(100.0), 10)
    order = np.random.default_rng(0).permutation(1_000)
    rows = Table.of({"day": moments[order]})
    parts = split(rows, time=moments[order], time_column="day")
    assert moments[order][parts.part == TEST].min() > moments[order][parts.part == VALIDATION].max()
    assert moments[order][parts.part == VALIDATION].min() > moments[order][parts.part == TRAIN].max()
    assert parts.counts == {"train": 700, "validation": 150, "test": 150}


def test_a_rare_class_reaches_every_part():
    labels = pa.array(["rare"] * 20 + ["common"] * 9_980)
    rows = Table.of({"x": list(range(10_000)), "label": labels})
    parts = split(rows, classes=labels)
    assert np.bincount(parts.part[:20]).tolist() == [14, 3, 3]


@pytest.mark.parametrize("count", range(1, 8))
def test_a_class_of_few_rows_always_has_a_training_row(count):
    assert TRAIN in by_rank(np.random.default_rng(count).integers(0, 2**63, count).astype(np.uint64))


def test_the_users_own_test_rows_are_the_test_rows():
    parts = split(table(5_000), test_rows=1_000)
    assert (parts.part[-1_000:] == TEST).all()
    assert not (parts.part[:-1_000] == TEST).any()
    assert 0.13 < (parts.part[:-1_000] == VALIDATION).mean() < 0.30
    assert parts.how == "by a hash of each row; the test rows are the file that was given" and parts.own_test
    assert not split(table(5_000)).own_test


def test_beside_the_users_own_test_rows_the_latest_others_by_time_are_validation():
    moments = np.repeat(np.arange(100.0), 10)
    order = np.random.default_rng(0).permutation(1_000)
    times = np.concatenate([moments[order], np.arange(100.0, 150.0)])
    parts = split(Table.of({"day": times}), time=times, time_column="day", test_rows=50)
    assert parts.counts == {"train": 850, "validation": 150, "test": 50}
    assert times[parts.part == VALIDATION].min() > times[parts.part == TRAIN].max()
    assert parts.how == (
        "the latest rows by 'day' that are no test rows are validation; the test rows are the file that was given"
    )


def test_equal_moments_stay_together_beside_the_users_own_test_rows():
    times = np.concatenate([np.repeat(np.arange(7.0), 30), np.full(20, 7.0)])
    parts = split(Table.of({"day": times, "x": np.arange(230.0)}), time=times, time_column="day", test_rows=20)
    assert [set(parts.part[times == time].tolist()) for time in (4.0, 5.0, 6.0, 7.0)] == [
        {TRAIN},
        {VALIDATION},
        {VALIDATION},
        {TEST},
    ]


def test_the_fingerprint_knows_the_test_rows_in_any_order():
    whole = table(2_000)
    reordered = whole.take(np.arange(2_000)[::-1])
    assert split(whole).fingerprint == split(reordered).fingerprint != split(table(2_000, 1)).fingerprint


def test_a_table_too_small_to_part_is_refused():
    with pytest.raises(
        TableError,
        match=r"^table has 1 row to learn from, and 20 is the fewest that can be parted into train, validation and test\. Add rows\.$",
    ):
        split(table(1))


def test_a_group_column_with_too_few_values_is_refused():
    rows = Table.of({"site": ["a"] * 30, "x": list(range(30))})
    with pytest.raises(
        TableError,
        match=r"^No rows are left for (test|train|validation)\. Column 'site' has too few different values to part rows by\. Part the rows another way, or add rows\.$",
    ):
        split(rows, group="site")
