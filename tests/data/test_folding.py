"""Folds are made of hashes: every row but the test rows is in one, and what belongs together stays together."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.rows.folding import fold, fold_of
from fathom.data.rows.splitting import TEST, TRAIN, row_hashes, split
from fathom.data.table import Table

ROWS = 300
TABLE = Table.of({"x": [row * 1.5 for row in range(ROWS)], "kind": [["a", "b", "c"][row % 3] for row in range(ROWS)]})


def test_every_row_but_the_test_rows_is_in_one_fold_and_the_test_rows_stay():
    parts = split(TABLE)
    folded, folds = fold(parts, row_hashes(TABLE), 5)
    assert (folded.part[parts.part == TEST] == TEST).all() and (folded.part[parts.part != TEST] == TRAIN).all()
    assert folded.fingerprint == parts.fingerprint
    assert len(folds) == (parts.part != TEST).sum()
    assert np.bincount(folds).tolist() == [51] * 5
    assert folded.how.endswith("; all others are in 5 folds, each of which checks the models that learn from the rest")


def test_the_order_of_the_rows_moves_no_row_to_another_fold():
    keys = row_hashes(TABLE)
    order = np.random.default_rng(0).permutation(ROWS)
    assert (fold_of(keys, 5)[order] == fold_of(keys[order], 5)).all()


def test_equal_keys_share_a_fold():
    keys = np.repeat(row_hashes(TABLE), 2)
    folds = fold_of(keys, 5)
    assert (folds[::2] == folds[1::2]).all()


def test_every_fold_has_its_share_of_every_class():
    classes = TABLE.column("kind")
    _, folds = fold(split(TABLE, classes=classes), row_hashes(TABLE), 5, classes)
    parts = split(TABLE, classes=classes)
    kinds = np.array(classes.to_pylist())[parts.part != TEST]
    assert all(np.bincount(folds[kinds == kind]).tolist() == [17] * 5 for kind in "abc")


@pytest.mark.parametrize(("different", "folds"), [(1, None), (2, 2), (3, 3)])
def test_there_are_no_more_folds_than_different_keys(different, folds):
    parts = split(TABLE)
    made = fold(parts, (np.arange(ROWS) % different).astype(np.uint64), 5)
    assert made is None if folds is None else int(made[1].max()) + 1 == folds


def test_a_class_of_two_rows_is_folded_too():
    folds = fold_of(np.arange(12, dtype=np.uint64), 5, np.array([0] * 10 + [1] * 2))
    assert sorted(np.unique(folds)) == [0, 1, 2, 3, 4]
    assert isinstance(TABLE.column("kind"), pa.Array) and len({*folds[10:]}) == 2
