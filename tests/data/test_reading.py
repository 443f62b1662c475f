"""What `read` takes, and how it tells one format from another."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from fathom.data.files.reading import read
from fathom.data.table import Table
from fathom.errors import OptionError, TableError

TEXT = b"age,job\n41,nurse\n38,cook\n"
ROWS = [{"age": "41", "job": "nurse"}, {"age": "38", "job": "cook"}]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Let every test name files by short names, as users do."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, data):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data)
    return name


def message(source, **options):
    with pytest.raises((TableError, OptionError)) as caught:
        read(source, **options)
    return str(caught.value)


def test_a_csv_file_is_read_as_strings_and_every_row_knows_its_line():
    table = read(write("data/homes.csv", TEXT))
    assert table.to_pylist() == ROWS
    assert table.arrow.schema.types == [pa.string(), pa.string()]
    assert [table.where(row) for row in range(2)] == ["data/homes.csv, line 2", "data/homes.csv, line 3"]
    assert table.name == "homes"
    assert table.decisions == (
        "Encoding: UTF-8.",
        "Delimiter: comma.",
        "Header: the first line holds the names.",
        "Line ends: LF.",
    )


def test_numbers_that_floats_would_change_stay_as_they_stand():
    cells = ["007", "12345678901234567890", "1e400", "-0", "NaN", "1,5", " x", "0x1F", "1_000", "TRUE", "null"]
    table = read(write("t.tsv", "\n".join(["value\tn", *(f"{cell}\t1" for cell in cells)]).encode()))
    assert table.column("value").to_pylist() == cells


def test_a_path_object_a_list_a_glob_and_a_stream_are_read_like_a_name(folder):
    write("a.csv", TEXT)
    assert read(folder / "a.csv").to_pylist() == ROWS
    assert read(io.BytesIO(TEXT)).to_pylist() == ROWS
    with Path("a.csv").open("rb") as stream:
        assert read(stream).where(1) == "a.csv, line 3"
    write("b.csv", b"job,age\nsmith,20\n")
    for source in (["a.csv", Path("b.csv")], "*.csv", str(folder / "[ab].csv"), "**/*.csv"):
        table = read(source)
        assert table.to_pylist() == [*ROWS, {"age": "20", "job": "smith"}]
        assert table.where(2).endswith("b.csv, line 2")
        assert table.decisions[0] == "2 files were joined."
    assert read("*.csv").name == "a"
    assert read(str(folder / "*.csv")).name == folder.name


def test_sentences_that_hold_for_some_files_only_name_them():
    table = read([write("a.csv", TEXT), write("b.csv", TEXT.replace(b",", b";")), write("c.csv", TEXT)])
    assert "a.csv, c.csv: Delimiter: comma." in table.decisions
    assert "b.csv: Delimiter: semicolon." in table.decisions


def test_a_file_whose_name_holds_signs_of_a_glob_is_read_as_itself():
    assert read(write("homes[1].csv", TEXT)).rows == 2
    assert read(write("a\n\U0001f600 b.csv", TEXT)).rows == 2
    assert read(write(os.fsdecode(b"bad\xff.csv"), TEXT)).where(0) == "bad\ufffd.csv, line 2"  # no UTF-8


def test_standard_input_is_read_by_a_dash(monkeypatch):
    stream = io.BytesIO(TEXT)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
    table = read("-")
    assert table.to_pylist() == ROWS
    assert table.name == "stdin"


def test_compressed_text_is_told_by_its_bytes_not_by_its_name():
    for name in ("t.csv.gz", "t.csv"):
        table = read(write(name, gzip.compress(TEXT)))
        assert table.to_pylist() == ROWS
        assert (table.name, table.decisions[-1]) == ("t", "Compression: gzip.")
    packed = pa.compress(TEXT, codec="zstd", asbytes=True)
    assert read(write("t.csv.zst", packed)).decisions[-1] == "Compression: zstd."
    assert read(write("two.gz", gzip.compress(TEXT) + gzip.compress(b"9,x\n"))).rows == 3


def frame():
    return pa.table(
        {
            "n": pa.array([1, None], pa.int64()),
            "s": pa.array(["x", "y"], pa.large_string()),
            "d": pa.array(["u", None]).dictionary_encode(),
            "l": pa.array([[1, 2], []]),
            "z": pa.nulls(2),
        }
    )


PLAIN = [pa.int64(), pa.string(), pa.string(), pa.list_(pa.int64()), pa.string()]


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.feather", "t.arrows", "wrong.csv"])
def test_typed_files_keep_their_types_but_for_dictionaries_and_large_strings(name):
    if name in ("t.parquet", "wrong.csv"):
        parquet.write_table(frame(), name)
    else:
        make = pa.ipc.new_stream if name == "t.arrows" else pa.ipc.new_file
        with make(name, frame().schema) as writer:
            writer.write_table(frame())
    table = read(name)
    assert [
        kind if not pa.types.is_list(kind) else pa.list_(kind.value_type) for kind in table.arrow.schema.types
    ] == PLAIN
    assert table.arrow.to_pylist() == frame().to_pylist()
    assert table.where(1) == f"{name}, row 2"
    packed = write("packed", gzip.compress(Path(name).read_bytes()))
    assert read(packed).arrow.to_pylist() == frame().to_pylist()


def test_frames_columns_and_rows_in_memory_are_read():
    expected = {"n": [1, 2], "s": ["x", "y"]}
    frames = [
        pd.DataFrame(expected),
        pd.DataFrame({"n": [1, 2], "s": pd.Categorical(["x", "y"])}),
        pl.DataFrame(expected),
        pl.DataFrame(expected).with_columns(pl.col("s").cast(pl.Categorical)),
        pa.table(expected),
        pa.record_batch(expected),
        expected,
        {"n": np.array([1, 2]), "s": pa.array(["x", "y"])},
        [{"n": 1, "s": "x"}, {"s": "y", "n": 2}],
    ]
    for source in frames:
        table = read(source)
        assert table.arrow.to_pydict() == expected, type(source)
        assert table.arrow.schema.types == [pa.int64(), pa.string()], type(source)
        assert table.where(1) == "row 2"
    table = Table.of(expected)
    assert read(table) is table


def test_keys_that_rows_lack_are_null_and_an_index_without_name_is_left_out():
    assert read([{"a": 1}, {"b": "x"}]).to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    table = read(pd.DataFrame({"a": [1]}, index=["q"]))
    assert table.to_pylist() == [{"a": 1}]
    assert table.decisions == ("The index of the pandas frame was left out.",)
    assert read(pd.DataFrame({"a": [1]}, index=pd.Index(["q"], name="id"))).names == ("a", "id")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (5, "A table cannot be read from builtins.int. Give a path, a list of paths, a binary stream, a pandas, polars or "
            "Arrow table, a dictionary of columns, or a list of rows as dictionaries."),
        ([], "The list is empty. Give paths of files, or rows as dictionaries: [{'age': 41}]."),
        ({}, "The dictionary of columns is empty. Give at least one column: {'age': [41, 38]}."),
        ([{"a": 1}, 2], "Item 2 of the list is of type int. A list holds paths of files, or rows as dictionaries, and nothing else."),
        ([{}], "The rows have no keys, and keys are the columns: [{'age': 41}]."),
        ({"a": "xy"}, "Column 'a' is one string, and a list of values was expected. A single row is a list of one dictionary: [{'a': …}]."),
        ({"a": 3}, "Column 'a' is one value, and a list of values was expected. A single row is a list of one dictionary: [{'a': …}]."),
        ({"a": [1], "b": [1, 2]}, "Column 'b' has 2 values, and column 'a' has 1. All columns of a table are equally long."),
        ({"a": [1, "x"]}, "Column 'a' cannot be read: Could not convert 'x' with type str: tried to convert to int64. "
                          "Give it values of one kind, for instance all strings."),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]),
         "The pandas frame cannot be read: Duplicate column names found: ['a', 'a']. Each column needs a name of its own and "
         "values of one kind; astype(str) makes strings of mixed ones."),
        (pd.Series([1]), "The pandas Series is a single column, or a row taken out of its frame, and a table was expected. A row stays a table as "
         "frame.iloc[[0]] or frame[:1], and Model.predict_one answers one alone; of a column make {'name': column}."),
        (pd.DataFrame({"a": [1], "b": ["x"]}).iloc[0], "The pandas Series is a single column, or a row taken out of its frame, and a table was expected. "
         "A row stays a table as frame.iloc[[0]] or frame[:1], and Model.predict_one answers one alone; of a column make {'name': column}."),
        (pa.table({"a": pa.array([], pa.int64())}), "The pyarrow frame has columns ('a') but no rows."),
        (pa.table({}), "The pyarrow frame has no columns."),
        (pa.table([[1], [2]], names=["a", "a"]),
         "The pyarrow frame: columns have the same name: 'a' in positions 1 and 2. Give each column a name of its own."),
        (io.StringIO("a"), "the stream gives text, and Fathom reads bytes so that it can find the encoding. "
                           "Open the file with open(path, 'rb'), or give its path."),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(source, said):
    assert message(source) == said


def test_a_column_of_more_than_two_gibibytes_is_refused():
    piece = pa.array(["x" * (1 << 26)])  # the same 64 MiB, 33 times
    said = message(pa.table({"text": pa.chunked_array([piece] * 33)}))
    assert said == (
        "The pyarrow frame: column 'text' holds more than 2 GiB of text, the most that one column may. "
        "Leave the column out, or read the table in parts."
    )


def test_files_with_other_columns_or_types_do_not_join():
    write("a.csv", TEXT)
    assert message(["a.csv", write("b.csv", b"age,town\n1,x\n")]) == (
        "b.csv has other columns than a.csv: it lacks 'job' and it has 'town' besides. "
        "All files of one table need the same columns; leave this file out, or read it alone."
    )
    parquet.write_table(pa.table({"age": [41], "job": ["x"]}), "c.parquet")
    assert message(["a.csv", "c.parquet"]) == (
        "c.parquet: column 'age' is of type int64, and in a.csv of type string, which do not join without loss. "
        "Write the column in the same type in all files."
    )
    parquet.write_table(pa.table({"age": [1.5], "job": ["x"]}), "d.parquet")
    assert read(["c.parquet", "d.parquet"]).column("age").to_pylist() == [41.0, 1.5]


def test_options_are_honoured_or_refused():
    write("a.csv", TEXT)
    parquet.write_table(pa.table({"a": [1]}), "a.parquet")
    write("a.jsonl", b'{"a": 1}\n')
    assert read("a.csv", header=False).names == ("column_1", "column_2")
    assert read(write("a.txt", b"a:b\n1:2\n"), delimiter=":").names == ("a", "b")
    assert read(write("a.tsv", b"a\tb\n1\t2\n"), delimiter="\\t").decisions[1] == "Delimiter: tab, as given."
    assert read(write("l.csv", b"a,b\n1,\xe9\n"), encoding="cp1251").column("b").to_pylist() == ["й"]
    assert (
        message("a.csv", bad_rows="skp") == "bad_rows='skp' is unknown. Did you mean 'skip'? It is 'error' or 'skip'."
    )
    assert message("a.csv", delimiter="::") == (
        "delimiter='::' cannot separate cells: one ASCII character is needed, and no quote or line break. "
        "Usual ones are ',', ';', '|' and 'tab'."
    )
    assert message("a.csv", encoding="uft8") == (
        "encoding='uft8' is not an encoding that Python knows. Did you mean 'utf-8'? "
        "Usual ones are utf-8, utf-16, utf-16-le, utf-16-be, latin-1, windows-1252."
    )
    assert message("a.csv", delimiter=";") == (
        "a.csv: the given delimiter ';' splits no line, while every line is split by commas. "
        "Leave the delimiter out to have it found."
    )
    assert message("a.parquet", delimiter=",", header=True) == (
        "delimiter and header cannot be used with a.parquet, which is no text file: they say how a text table is written. "
        "Leave them out."
    )
    assert message("a.jsonl", header=True) == (
        "header cannot be used with a.jsonl, which is JSON lines: it says how a text table is written. Leave it out."
    )
    assert message({"a": [1]}, encoding="utf-8") == (
        "encoding cannot be used with a table in memory: it says how a text table is written. Leave it out."
    )
