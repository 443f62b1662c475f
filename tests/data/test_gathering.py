"""Series are gathered from numbered columns that go together, or from rows that share an id, and again when rows are answered."""

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.baselines import constant, linear
from fathom.data.encoding import inputs_of
from fathom.data.gathering import find, of_rows
from fathom.data.table import Table
from fathom.errors import OptionError, TableError
from fathom.examining import check

STEPS = 24


def waves(rows=60, seed=0):
    """Slow waves and fast ones, a row each, and which they are."""
    generator = np.random.default_rng(seed)
    fast = generator.random(rows) < 0.5
    step = np.arange(STEPS)
    phase = generator.normal(0, 0.3, (rows, 1))
    numbers = np.sin(step[None] * np.where(fast, 0.5, 0.25)[:, None] + phase) + generator.normal(0, 0.05, (rows, STEPS))
    return numbers, np.where(fast, "fast", "slow")


def wide(rows=60, names=None, seed=0):
    numbers, kind = waves(rows, seed)
    names = names or [f"t_{step}" for step in range(STEPS)]
    return {**{name: numbers[:, place] for place, name in enumerate(names)}, "kind": kind.tolist()}


def long(rows=60, seed=0):
    numbers, kind = waves(rows, seed)
    count = numbers.size
    order = np.random.default_rng(1).permutation(count)
    row, step = np.divmod(order, STEPS)
    return {
        "machine": [f"m{place}" for place in row],
        "hour": step.tolist(),
        "heat": numbers[row, step].tolist(),
        "kind": kind[row].tolist(),
    }


@pytest.mark.parametrize("first", [0, 1, 7])
def test_numbered_columns_that_go_together_are_one_series(first):
    table = Table.of(wide(names=[f"t{first + step}" for step in range(STEPS)]))
    (one,), kinds = find(table, {}, ["kind"])
    gathered = one.gather(table)
    assert (one.name, gathered.names, kinds) == ("t", ("t", "kind"), {})
    assert len(gathered.column("t")[0].as_py()) == STEPS


def test_text_cells_are_numbers_too_and_empty_ones_gaps():
    columns = {name: [str(cell) for cell in cells] for name, cells in wide().items()}
    columns["t_3"][0] = ""
    table = Table.of(columns)
    (one,), _ = find(table, {}, ["kind"])
    assert one.gather(table).column("t")[0].as_py()[3] is None


@pytest.mark.parametrize(
    "columns",
    [
        {f"v{place}": np.random.default_rng(place).normal(size=60) for place in range(STEPS)},
        {f"t_{place}": waves()[0][:, place] for place in range(10)},
        {f"t_{2 * place}": waves()[0][:, place] for place in range(STEPS)},
        {f"t_{place}": ["a"] * 60 for place in range(STEPS)},
    ],
    ids=["that do not go together", "that are few", "with holes in their numbers", "of words"],
)
def test_columns_stay_apart(columns):
    assert find(Table.of(columns), {}, [])[0] == ()


def test_the_user_has_the_last_word():
    apart = {f"v{place}": np.random.default_rng(place).normal(size=60) for place in range(5)}
    (one,), kinds = find(Table.of(apart), {"v": "series"}, [])
    assert (one.name, kinds) == ("v", {"v": "series"})
    none, kinds = find(Table.of(wide()), {"t": "number"}, ["kind"])
    assert none == ()
    assert kinds == {f"t_{step}": "number" for step in range(STEPS)}


def test_rows_of_an_id_become_one_in_the_order_of_time():
    table = Table.of(long())
    one = of_rows(table, "machine,hour", ["kind"], {})
    gathered = one.gather(table)
    numbers, kind = waves()
    assert gathered.rows == 60
    for row in (0, 31, 59):
        machine = int(gathered.column("machine")[row].as_py()[1:])
        cell = gathered.column("series")[row].as_py()
        np.testing.assert_allclose(cell["heat"], numbers[machine])
        assert cell["time"] == list(range(STEPS))
        assert gathered.column("kind")[row].as_py() == kind[machine]


def test_dates_are_times():
    table = Table.of(
        {
            "id": ["a", "a", "b", "b"],
            "day": ["2024-01-02", "2024-01-01", "2024-01-01", "2024-01-03"],
            "x": [2.0, 1.0, 5.0, 6.0],
        }
    )
    cells = of_rows(table, "id,day", [], {}).gather(table).column("series").to_pylist()
    assert [cell["x"] for cell in cells] == [[1.0, 2.0], [5.0, 6.0]]
    assert cells[1]["time"][1] - cells[1]["time"][0] == 2 * 86_400


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ("machin,hour", TableError, "Did you mean 'machine'?"),
        ("machine,hour,heat", OptionError, "one or two columns are expected"),
        ("kind,hour", OptionError, "names the target"),
        ("hour,machine", TableError, "changes within the rows of one 'hour'"),
    ],
)
def test_what_cannot_be_gathered_is_refused(told, error, words):
    with pytest.raises(error, match=words.replace("?", r"\?")):
        of_rows(Table.of(long()), told, ["kind"], {})


def test_a_time_that_is_no_time_is_refused_with_its_row():
    table = Table.of({"id": ["a", "a"], "day": ["2024-01-02", "soon"], "x": [2.0, 1.0]})
    with pytest.raises(TableError, match="row 2: the time 'day' is 'soon'"):
        of_rows(table, "id,day", [], {}).gather(table)


@pytest.mark.parametrize(("made", "settings"), [(wide, {}), (long, {"series": "machine,hour"})], ids=["wide", "long"])
def test_a_fit_gathers_and_so_do_predictions(made, settings, tmp_path):
    model = fathom.fit(
        Table.of(made(80)),
        "kind",
        effort="quick",
        epochs=2,
        keep="network",
        baselines=(constant, linear),
        columns={},
        **settings,
    )
    assert [column.modality for column in model.columns if column.role == "input" and column.kind] == ["series"]
    again = fathom.load(model.save(tmp_path / "bundle"))
    new = Table.of(made(10, seed=5))
    answers = again.predict(new)
    assert answers.rows == 10
    assert answers.arrow.equals(model.predict(new).arrow)
    judging = Table.of(made(60, seed=6))
    (finding,) = check(again, judging, only=["suspects"])
    assert finding.answer != "not applicable", finding.sentence
    assert [entry["column"] for entry in fathom.explain(again, judging)["importance"]] == [
        column.name for column in inputs_of(model.columns)
    ]
    if settings:
        assert answers.names[0] == "machine"
    alone = (
        again.predict(Table.of({name: cells[:1] for name, cells in made(10, seed=5).items()})) if not settings else None
    )
    assert alone is None or alone.column("kind=fast")[0].as_py() == pytest.approx(
        answers.column("kind=fast")[0].as_py(), abs=1e-5
    )


def test_rows_to_answer_need_every_column_that_was_gathered():
    model = fathom.fit(Table.of(wide(80)), "kind", effort="quick", epochs=1, baselines=(constant,))
    columns = wide(5)
    del columns["t_7"]
    with pytest.raises(TableError, match="no column 't_7', which the series 't' is gathered from"):
        model.predict(Table.of(columns))


def test_the_test_rows_of_the_user_are_gathered_alike():
    model = fathom.fit(
        Table.of(wide(80)), "kind", test=Table.of(wide(30, seed=3)), effort="quick", epochs=1, baselines=(constant,)
    )
    assert model.result["rows"]["test"] == 30


def test_a_table_of_pyarrow_keeps_its_other_columns():
    table = Table.of({**wide(), "age": list(range(60))})
    (one,), _ = find(table, {}, ["kind"])
    assert one.gather(table).names == ("t", "kind", "age")
    assert pa.types.is_large_list(one.gather(table).column("t").type)
