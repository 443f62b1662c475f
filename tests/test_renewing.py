"""Old rows and new ones are parted alike: folds, groups, times, weights and test rows of the user's own are kept, whatever comes."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.chapters.preparing import prepare
from fathom.data.modalities import MODALITIES
from fathom.data.rows.splitting import TEST, TRAIN, VALIDATION, row_hashes
from fathom.data.table import Table
from fathom.errors import TableError
from fathom.progress import Silent
from fathom.renewal.continuing import prepared_of
from fathom.renewal.origins import Origin
from fathom.renewal.renewing import base_of, frozen_rows, join_rows
from fathom.settings import Settings


def rows(count: int, seed: int) -> Table:
    generator = np.random.default_rng(seed)
    size = generator.normal(size=count).round(3)
    return Table.of(
        {
            "size": size,
            "kind": generator.choice(["a", "b", "c"], count),
            "patient": generator.integers(0, 60, count),
            "day": np.datetime64("2024-01-01") + np.arange(count) + 1_000 * seed,
            "sure": generator.choice([0.5, 1.0, 2.0], count),
            "price": (3 * size + generator.normal(size=count)).round(3),
        }
    )


def origin_of(table: Table, test: Table | None = None, **settings: object) -> Origin:
    """Return what a fit of this table would have left."""
    chosen = Settings.of({"columns": {"patient": "category"}, **settings})
    made = prepare(table, ["price"], test, chosen, MODALITIES, Silent(), folded=True)
    origin = Origin((), ("price",), chosen, np.sort(row_hashes(made.sealed)), test is not None)
    return Origin((), ("price",), chosen, origin.sealed, origin.own_test, made.table.take(made.split.rows(TEST)))


def renewed(origin: Origin, old: Table, *new: Table):
    base = base_of(origin, old, MODALITIES)
    return base, join_rows(origin, base, new, base.columns, MODALITIES)


@pytest.mark.parametrize(
    "settings",
    [{}, {"effort": "quick"}, {"group": "patient"}, {"time": "day", "effort": "quick"}, {"weight": "sure"}],
    ids=str,
)
def test_old_rows_are_parted_as_they_were_and_no_sealed_row_is_taught(settings):
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old, **settings)
    base, renewal = renewed(origin, old, origin.frozen, new)
    assert np.array_equal(np.sort(row_hashes(frozen_rows(base))), origin.sealed)
    assert np.array_equal(renewal.split.part[: old.rows], base.split.part) and renewal.table.rows == 700
    assert not np.isin(row_hashes(renewal.table.take(np.flatnonzero(renewal.split.part != TEST))), origin.sealed).any()
    assert 10 <= renewal.latest(20).rows <= 120
    for warm in (True, False):
        prepared = prepared_of(renewal, origin, base.columns, warm, MODALITIES, Silent())
        assert (
            (prepared.folds is not None)
            == (base.folds is not None)
            == ("time" not in settings and "effort" not in settings)
        )
        if prepared.folds is not None:
            assert len(prepared.folds) == prepared.train.rows and prepared.fold_count == base.fold_count
            assert np.array_equal(prepared.folds[: len(base.folds)], base.folds)
        assert (prepared.weights is not None) == ("weight" in settings)
        assert prepared.weights is None or len(prepared.weights) == prepared.train.rows
        assert (prepared.columns == base.columns) == warm


def test_a_known_group_stays_in_its_part_and_fold():
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old, group="patient")
    _base, renewal = renewed(origin, old, new)
    patients = np.asarray(renewal.table.column("patient"))
    for patient in np.unique(patients):
        assert len(np.unique(renewal.split.part[patients == patient])) == 1
    taught = patients[renewal.split.part == TRAIN]
    for patient in np.unique(taught):
        assert len(np.unique(renewal.folds[taught == patient])) == 1


def test_where_time_parts_rows_the_latest_of_the_new_are_sealed():
    old, new = rows(400, 0), rows(300, 1)
    _, renewal = renewed(origin_of(old, time="day", effort="quick"), old, new)
    day = np.asarray(renewal.table.column("day").cast(pa.timestamp("ms"))).astype("datetime64[D]")
    fresh = ~renewal.old
    assert day[fresh & (renewal.split.part == TEST)].min() > day[fresh & (renewal.split.part != TEST)].max()


@pytest.mark.parametrize(
    ("settings", "said", "said_alone"),
    [
        ({"effort": "quick"}, "by a hash of each row; new rows by a hash of each", "by a hash of each new row"),
        (
            {"group": "patient", "effort": "quick"},
            "by a hash of 'patient', so that its groups stay together; new rows of a known 'patient' as its old rows, the others by a hash of 'patient'",
            "by a hash of 'patient', so that its groups stay together",
        ),
        (
            {"time": "day", "effort": "quick"},
            "the latest rows by 'day' are the test rows, those before them validation; "
            "the latest of the new rows by 'day' are test rows, those before them validation",
            "the latest of the new rows by 'day' are test rows, those before them validation",
        ),
    ],
    ids=["hash", "group", "time"],
)
def test_a_renewed_split_says_how_its_rows_were_parted(settings, said, said_alone):
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old, **settings)
    base, renewal = renewed(origin, old, new)
    assert renewal.split.how == said
    assert join_rows(origin, None, [new], base.columns, MODALITIES).split.how == said_alone


def test_a_renewed_split_without_old_rows_says_that_its_rows_are_folded():
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old)
    columns = base_of(origin, old, MODALITIES).columns
    how = join_rows(origin, None, [new], columns, MODALITIES, 5).split.how
    assert how.startswith("by a hash of each new row; all others are in 5 folds")


def test_where_time_parts_rows_none_teaches_what_came_before_it_though_the_table_has_grown():
    old = rows(400, 0)
    origin = origin_of(old, time="day", effort="quick")
    grown = Table(pa.concat_tables([old.arrow, rows(250, 7).arrow]))
    base = base_of(origin, grown, MODALITIES)
    day = np.asarray(base.table.column("day").cast(pa.timestamp("ms")))
    part = base.split.part
    assert np.array_equal(np.sort(row_hashes(frozen_rows(base))), origin.sealed)
    assert day[part == VALIDATION].min() > day[part == TRAIN].max()
    assert base.split.how == (
        "the test rows are those of the fit; the latest rows by 'day' that are no test rows are validation"
    )


def test_test_rows_of_the_users_own_stay_test_rows():
    old, own, new = rows(400, 0), rows(80, 5), rows(300, 1)
    origin = origin_of(old, own, effort="quick")
    whole = Table(pa.concat_tables([old.arrow, own.arrow]))
    base, _ = renewed(origin, whole, new)
    assert np.array_equal(np.sort(row_hashes(frozen_rows(base))), np.sort(row_hashes(own)))
    assert base.split.counts["train"] + base.split.counts["validation"] == 400


def test_a_table_that_has_changed_keeps_what_was_sealed_sealed():
    old = rows(400, 0)
    origin = origin_of(old)
    grown = Table(pa.concat_tables([rows(250, 7).arrow, old.take(np.arange(100, 400)).arrow]))
    base, _ = renewed(origin, grown, rows(100, 1))
    there = np.isin(origin.sealed, row_hashes(grown))
    assert np.array_equal(np.sort(row_hashes(frozen_rows(base))), origin.sealed[there])
    assert base.folds is not None and len(base.folds) == (base.split.part == TRAIN).sum()


def test_new_rows_take_the_types_of_the_old_or_are_refused_by_name():
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old)
    words = new.with_column("size", pa.array([str(value) for value in new.column("size").to_pylist()]))
    _, renewal = renewed(origin, old, words)
    assert renewal.table.column("size").type == pa.float64()
    with pytest.raises(TableError, match="'size' of table holds string"):
        renewed(origin, old, new.with_column("size", pa.array(["small"] * new.rows)))
    with pytest.raises(TableError, match="to be predicted"):
        renewed(origin, old, new.select(["size", "kind", "patient", "day", "sure"]))


@pytest.mark.parametrize("networks", [1, 5])
def test_without_the_old_table_new_rows_teach_alone(networks):
    old, new = rows(400, 0), rows(300, 1)
    origin = origin_of(old)
    assert origin.table() is None  # its files are gone
    columns = base_of(origin, old, MODALITIES).columns
    renewal = join_rows(origin, None, [origin.frozen, new], columns, MODALITIES, networks)
    assert renewal.table.rows == new.rows and not renewal.old.any() and renewal.newest.all()
    prepared = prepared_of(renewal, origin, columns, True, MODALITIES, Silent())
    assert prepared.fold_count == networks and prepared.validation.rows
