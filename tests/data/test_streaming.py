"""A table read block by block is the table read whole: the same cells, lines, bad rows and lessons."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import fathom
from fathom.data.files import text_streams, typed_streams
from fathom.data.files.streaming import larger_than, stream
from fathom.data.files.writing import write, write_blocks
from fathom.data.rows import moments
from fathom.data.rows.hashing import hash_values
from fathom.data.rows.moments import Moments
from fathom.data.rows.parting import FewKeys, Parting, Tally
from fathom.data.rows.sampling import Sampler
from fathom.data.rows.splitting import row_hashes, split
from fathom.data.stored import Layout, Writer, check_room
from fathom.data.table import Table
from fathom.errors import OutputError, TableError


def whole(opened) -> tuple[pa.Table, list, list]:
    """Return the cells, the place of every row, and the bad rows, of all blocks together."""
    blocks = list(opened.blocks())
    places = [block.place(row) for block in blocks for row in range(block.rows)]
    return pa.concat_tables(block.arrow for block in blocks), places, [row for block in blocks for row in block.skipped]


@pytest.fixture
def small_blocks(monkeypatch):
    """Make a block a few rows."""
    monkeypatch.setattr(text_streams, "PARSED", 64)
    monkeypatch.setattr(typed_streams, "ROWS", 7)


CELLS = st.sampled_from(
    ["a", "1.5", "", "several words", '"a,b"', '"two\nlines"', '"two\r\nlines"', '"say ""no"""', "é"]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=2, max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    rows=[["a"], ['"a,b"'], ['"two\nlines"']], block=64, end="\n", blank=True
)  # a blank line before a bad row is a row
@given(rows=ROWS, block=st.sampled_from([16, 64, 4 << 20]), end=st.sampled_from(["\n", "\r\n"]), blank=st.booleans())
def test_any_text_read_in_blocks_is_the_text_read_whole(tmp_path, monkeypatch, rows, block, end, blank):
    monkeypatch.setattr(text_streams, "PARSED", block)
    file = tmp_path / "t.csv"
    lines = ["one,two", *map(",".join, rows), *[""] * blank, "1,2"]
    file.write_bytes(end.join(lines).encode())
    try:
        table = fathom.read(file, bad_rows="skip")
    except TableError as lesson:
        with pytest.raises(TableError) as found:
            whole(stream(file, bad_rows="skip"))
        assert str(found.value) == str(lesson)
        return
    cells, places, skipped = whole(stream(file, bad_rows="skip"))
    assert cells.equals(table.arrow)
    assert places == [table.place(row) for row in range(table.rows)]
    assert tuple(skipped) == table.skipped


@pytest.mark.usefixtures("small_blocks")
def test_a_bad_row_in_a_later_block_is_named_by_file_and_line(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 50)
    (tmp_path / "b.csv").write_text("x,y\n" + "1,2\n" * 90 + "1,2,3\n" + "1,2\n" * 9)
    with pytest.raises(TableError) as found:
        list(stream(str(tmp_path / "*.csv")).blocks())
    assert str(found.value).startswith(f"{tmp_path / 'b.csv'}, line 92: 3 cells were found where 2 were expected")
    assert found.value.line == 92


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["a.parquet", "a.arrow", "a.csv.gz", "a.tsv"])
def test_every_format_that_is_streamed_gives_the_rows_it_holds(tmp_path, kind):
    table = Table.of(
        {"n": pa.array(range(100), pa.int32()), "word": [None if i == 50 else f"w{i % 7}" for i in range(100)]}
    )
    write(table, tmp_path / kind)
    read = fathom.read(tmp_path / kind)
    cells, places, _ = whole(stream(tmp_path / kind))
    assert cells.equals(read.arrow)
    assert places == [read.place(row) for row in range(100)]


@pytest.mark.usefixtures("small_blocks")
def test_several_files_are_one_table_with_the_columns_of_the_first(tmp_path):
    parquet.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "1.parquet")
    parquet.write_table(pa.table({"b": ["z"], "a": pa.array([3], pa.int16())}), tmp_path / "2.parquet")
    cells, places, _ = whole(stream(str(tmp_path / "*.parquet")))
    assert cells.to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    assert places[2] == (str(tmp_path / "2.parquet"), 1)


@pytest.mark.parametrize(
    ("name", "content", "lesson"),
    [
        (
            "a.jsonl",
            b'{"a": 1}\n',
            " is JSON lines and larger than the memory that a fit may take, and only CSV, TSV, Parquet and Arrow are read piece by piece. "
            "Write it as one of these, or raise --memory.",
        ),
        (
            "a.parquet.gz",
            None,
            " is too large to be read whole, and packed by gzip it cannot be read piece by piece. Unpack it; Parquet and Arrow have a compression of their own.",
        ),
    ],
)
def test_what_cannot_be_read_in_blocks_is_refused_with_a_way_out(tmp_path, name, content, lesson):
    file = tmp_path / name
    if content is None:
        parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
        content = gzip.compress((tmp_path / "a.parquet").read_bytes())
    file.write_bytes(content)
    with pytest.raises(TableError) as found:
        stream(file)
    assert str(found.value) == f"{file}{lesson}"


def test_large_text_with_odd_quotes_is_refused_and_small_text_mended(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_text('a,b\n"one" two,3\nfour,5\n')
    assert whole(stream(file))[0].equals(fathom.read(file).arrow)
    monkeypatch.setattr(text_streams, "MENDED", 10)
    with pytest.raises(
        TableError, match="is too large to be read whole, and its quotes do not all open and close whole cells"
    ):
        stream(file)


def test_a_file_that_changes_between_two_passes_is_noticed(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")
    opened = stream(file)
    file.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(TableError, match="changed while it was being read"):
        list(opened.blocks())


def test_only_files_are_larger_than_memory(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a,b\n" + "1,2\n" * 100)
    assert larger_than(file, 300) == int(1.5 * file.stat().st_size)
    assert larger_than(file, 10_000) is None
    assert larger_than({"a": [1]}, 0) is None
    assert larger_than("-", 0) is None
    write(fathom.read(file), tmp_path / "a.parquet")
    assert larger_than(tmp_path / "a.parquet", 0) >= 100 * 2 * 8  # what it unfolds to, not what is stored


# ------------------------------------------------------------------------------------------------------------------- sampling, parting


def in_blocks(table: Table, size: int) -> list[Table]:
    return [table.take(np.arange(first, min(first + size, table.rows))) for first in range(0, table.rows, size)]


def test_a_sample_is_the_same_for_any_blocks_and_its_rows_know_their_lines(flights):
    samples = []
    for size in (40, 333, 1_500):
        sampler = Sampler(100)
        for block in in_blocks(flights, size):
            sampler.offer(block, row_hashes(block))
        samples.append(sampler.table())
    first, *others = samples
    assert first.rows == 100
    assert all(sample.arrow.equals(first.arrow) for sample in others)
    lines = {flights.place(row): row for row in range(flights.rows)}
    rows = [lines[first.place(row)] for row in range(first.rows)]
    assert flights.arrow.take(pa.array(rows)).equals(first.arrow)
    assert rows == sorted(rows)


def test_a_sample_is_uniform_also_where_rows_are_equal():
    table = Table.of({"word": ["a", "b"] * 5_000})
    sampler = Sampler(1_000)
    for block in in_blocks(table, 700):
        sampler.offer(block, row_hashes(block))
    assert 400 < sampler.table().column("word").to_pylist().count("a") < 600


@pytest.mark.parametrize("case", ["rows", "small", "rare classes", "groups", "few groups"])
def test_rows_are_parted_as_a_table_in_memory_parts_them(case):
    random = np.random.default_rng(0)
    rows = 400 if case == "small" else 6_000
    often = 0.9 if case == "rare classes" else 0.6
    columns = {
        "x": random.normal(size=rows),
        "class": np.where(random.random(rows) < often, "often", np.where(random.random(rows) < 0.9, "seldom", "rare")),
        "group": random.integers(0, 40 if case == "few groups" else 3_000, rows),
    }
    table = Table.of({name: pa.array(values) for name, values in columns.items()})
    group = "group" if "group" in case else None
    stratified = case in ("rare classes", "small")
    expected = split(table, classes=table.column("class") if stratified else None, group=group)

    few, tally = FewKeys(), Tally()

    def keys_of(block):
        return hash_values(block.column("group"), 0) if group else row_hashes(block)

    for block in in_blocks(table, 700):
        few.add(keys_of(block))
        tally.add(block.column("class"), keys_of(block))
    rule = Parting.of(few, tally if stratified else None, own_test=False)
    parts = [rule.parts(keys_of(block), block.column("class")) for block in in_blocks(table, 700)]
    assert np.concatenate(parts).tolist() == expected.part.tolist()


@pytest.mark.parametrize("case", ["spread", "few values", "wide"])
def test_a_place_in_the_order_of_many_moments_is_found_without_sorting_them(tmp_path, monkeypatch, case):
    monkeypatch.setattr(moments, "AT_ONCE", 50)
    random = np.random.default_rng(1)
    numbers = {
        "spread": random.normal(size=900),
        "few values": random.integers(0, 4, 900).astype(float),
        "wide": np.exp(random.normal(size=900) * 30),
    }[case]
    kept = Moments.create(tmp_path / "moments")
    for piece in np.array_split(numbers, 5):
        kept.add(piece)
    places = [0, 1, 450, 630, 765, 899]
    assert [kept.ordered(place) for place in places] == np.sort(numbers)[places].tolist()
    kept.close()
    assert not (tmp_path / "moments").exists()


# ------------------------------------------------------------------------------------------------------------------- arrays on the disk

LAYOUTS = {"scalar": Layout("<f4", 3), "target": Layout("<i4", 0)}


def rows_from(start: int, stop: int) -> dict[str, np.ndarray]:
    numbers = np.arange(start, stop)
    return {"scalar": np.stack([numbers, numbers + 0.5, -numbers], axis=1).astype("f4"), "target": numbers.astype("i4")}


def test_stored_rows_are_read_by_ranges_and_are_plain_npy_files(tmp_path):
    writer = Writer(tmp_path, LAYOUTS, "same")
    writer.append(rows_from(0, 10), 12, {})
    writer.append(rows_from(10, 25), 30, {"seen": 3})
    stored = writer.close()
    assert stored.rows == 25 and stored.row_bytes == 16
    for name, values in rows_from(4, 17).items():
        assert np.array_equal(stored.read(4, 17)[name], values)
        assert np.array_equal(np.load(tmp_path / f"{name}.npy", mmap_mode="r")[4:17], values)


def test_an_interrupted_writer_goes_on_where_its_journal_ends(tmp_path):
    writer = Writer(tmp_path, LAYOUTS, "same")
    writer.append(rows_from(0, 10), 12, {"seen": 1})
    writer.note()
    writer.append(rows_from(10, 20), 25, {"seen": 2})  # and then the power fails
    for file in writer.files.values():
        file.close()
    again = Writer(tmp_path, LAYOUTS, "same")
    assert (again.read, again.written, again.notes) == (12, 10, {"seen": 1})
    again.append(rows_from(10, 25), 30, {"seen": 2})
    again.note()
    assert np.array_equal(again.close().read(0, 25)["scalar"], rows_from(0, 25)["scalar"])


@pytest.mark.parametrize("harm", ["other rows", "a file cut short", "a journal that is no JSON"])
def test_rows_that_are_not_what_the_journal_says_are_written_anew(tmp_path, harm):
    writer = Writer(tmp_path, LAYOUTS, "same")
    writer.append(rows_from(0, 10), 12, {})
    writer.note()
    writer.close()
    if harm == "a file cut short":
        (tmp_path / "scalar.npy").write_bytes(b"short")
    if harm == "a journal that is no JSON":
        (tmp_path / "journal.json").write_text("{")
    again = Writer(tmp_path, LAYOUTS, "other" if harm == "other rows" else "same")
    assert (again.read, again.written) == (0, 0)
    again.append(rows_from(5, 8), 3, {})
    assert np.array_equal(again.close().read(0, 3)["target"], [5, 6, 7])


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path):
    check_room(tmp_path / "not there yet", 1)
    with pytest.raises(OutputError) as found:
        check_room(tmp_path / "not there yet", 10**18)
    assert str(found.value).startswith(
        f"{tmp_path / 'not there yet'} needs room for about 1000000000.0 GB of encoded rows, and "
    )
    assert str(found.value).endswith("GB are free. Make room, or name a place with more of it with --out.")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".arrow", ".jsonl", ".csv.gz"])
def test_tables_written_one_after_the_other_are_one_table(tmp_path, ending):
    table = Table.of({"word": [f"w {i}" for i in range(20)], "number": [i / 8 for i in range(20)]})
    write(table, tmp_path / f"whole{ending}")
    write_blocks(iter(in_blocks(table, 6)), tmp_path / f"blocks{ending}")
    assert fathom.read(tmp_path / f"blocks{ending}").arrow.equals(fathom.read(tmp_path / f"whole{ending}").arrow)
