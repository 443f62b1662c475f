"""The planted tables are the same for everyone, of mixed kinds, and what they say they are."""

import numpy as np
import pyarrow as pa
import pytest

from bench.planted import KINDS, MAKERS, PER_KIND, RIGHT, TOLERATED, planted

EVERY = [(kind, index) for kind in KINDS for index in range(PER_KIND)]


@pytest.fixture(scope="module")
def tables():
    return {key: planted(*key) for key in EVERY}


def numbers_of(table):
    arrow = table.arrow
    names = [name for name in arrow.column_names if pa.types.is_floating(arrow[name].type) and name != table.target]
    return np.column_stack([arrow[name].to_numpy() for name in names])


def test_the_same_index_is_the_same_table_every_time(tables):
    for key in [("network", 0), ("linear", 7), ("trees", 12), ("nothing", 39)]:
        assert planted(*key).arrow.equals(tables[key].arrow)


def test_no_table_is_like_another(tables):
    targets = [tuple(table.arrow[table.target].slice(0, 20).to_pylist()) for table in tables.values()]
    assert len(
        {
            (table.arrow.num_rows, table.arrow.num_columns, *target)
            for table, target in zip(tables.values(), targets, strict=True)
        }
    ) == len(EVERY)


def test_tables_have_the_promised_sizes(tables):
    for key, table in tables.items():
        assert 1_200 <= table.arrow.num_rows <= 4_000, key
        assert 5 <= table.arrow.num_columns - 1 <= 15, key


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_a_kind_predict_a_number_and_half_a_class(tables, kind):
    of_kind = [table for (one, _), table in tables.items() if one == kind]
    regressions = [table for table in of_kind if table.task == "regression"]
    assert len(regressions) == PER_KIND // 2
    for table in of_kind:
        kind_of_target = table.arrow[table.target].type
        assert pa.types.is_floating(kind_of_target) == (table.task == "regression")
        assert table.arrow[table.target].null_count == 0
        assert table.arrow.column_names[-1] == table.target


def test_every_table_has_numbers_and_something_else(tables):
    for key, table in tables.items():
        types = [field.type for field in table.arrow.schema if field.name != table.target]
        assert sum(map(pa.types.is_floating, types)) >= 4, key
        assert any(pa.types.is_string(one) or pa.types.is_date(one) for one in types), key


def test_classes_are_equally_large(tables):
    for key, table in tables.items():
        if table.task == "classification":
            counts = table.arrow[table.target].value_counts().field("counts").to_numpy()
            assert len(counts) in (2, 3), key
            assert counts.max() - counts.min() <= 2, key


def test_some_cells_are_missing_and_never_more_than_a_tenth(tables):
    gaps = {
        key: [table.arrow[name].null_count / table.arrow.num_rows for name in table.arrow.column_names]
        for key, table in tables.items()
    }
    assert sum(max(shares) > 0 for shares in gaps.values()) > 60
    assert max(max(shares) for shares in gaps.values()) < 0.1


def test_numbers_are_finite_where_they_are_not_missing(tables):
    for key, table in tables.items():
        for name in table.arrow.column_names:
            values = table.arrow[name].drop_null()
            if pa.types.is_floating(values.type):
                assert np.isfinite(values.to_numpy()).all(), (key, name)


def test_only_the_first_kind_calls_for_a_network(tables):
    assert RIGHT == {
        "network": "worth it",
        "linear": "not worth it",
        "trees": "not worth it",
        "nothing": "not worth it",
    }
    assert TOLERATED == "cannot tell yet"
    assert set(MAKERS) == set(KINDS)
    assert all(table.right == RIGHT[kind] for (kind, _), table in tables.items())


def test_a_straight_line_explains_the_linear_kind_and_nothing_of_the_nothing_kind(tables):
    """R² of least squares on the numbers alone, judged on the second half of the rows."""
    found = {}
    for kind in ("linear", "nothing"):
        scores = []
        for index in range(0, PER_KIND, 2):
            table = tables[kind, index]
            x, y = np.nan_to_num(numbers_of(table)), table.arrow[table.target].to_numpy()
            x = np.column_stack([np.ones(len(x)), np.clip((x - x.mean(0)) / x.std(0), -4, 4)])
            half = len(x) // 2
            weights = np.linalg.lstsq(x[:half], y[:half], rcond=None)[0]
            scores.append(1 - np.var(y[half:] - x[half:] @ weights) / np.var(y[half:]))
        found[kind] = scores
    assert min(found["linear"]) > 0.05
    assert np.median(found["linear"]) > 0.4
    assert max(found["nothing"]) < 0.02


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match=r"^There is no planted table 'forest' 0: kinds are .*, indices 0 to 39\.$"):
        planted("forest", 0)
    with pytest.raises(ValueError, match=r"^There is no planted table 'linear' 40: "):
        planted("linear", 40)
