"""Cells of text tables come back exactly, every row knows its line, and bad rows are told or left out."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fathom.data.files import finding as files
from fathom.data.files import text_files
from fathom.data.files.reading import read
from fathom.data.table import SkippedRow
from fathom.errors import TableError

ADVICE = 'Correct the file, or leave such rows out with --bad-rows skip (in Python: bad_rows="skip").'
DOUBLED = 'Close it where its cell ends; quotes inside a cell are written doubled ("").'
BREAK = re.compile("\r\n|\r|\n")
SAME_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(data, name="t.csv"):
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)
    return name


def message(data, **options):
    with pytest.raises(TableError) as caught:
        read(write(data), **options)
    return str(caught.value)


def lines(table):
    return [table.place(row)[1] for row in range(table.rows)]


def cells(table):
    return [list(row.values()) for row in table.to_pylist()]


text = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.text(st.sampled_from(",;\t|\"'\n\r a1é\U0001f600\ufeff\x1f\\"), max_size=8),
)


@SAME_FOLDER
@given(
    rows=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(text, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    delimiter=st.sampled_from(",;\t|"),
    style=st.sampled_from(
        [("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    block=st.sampled_from([64, text_files.PARSED]),
)
def test_any_table_written_by_the_csv_module_reads_back_exactly(rows, delimiter, style, encoding, block):
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    writer.writerow([f"name{index}" for index in range(len(rows[0]))])
    expected = []
    for row in rows:
        expected.append(1 + len(BREAK.findall(sink.getvalue())))
        writer.writerow(row)
    write(sink.getvalue().encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "PARSED", block)
        table = read("t.csv", header=True)
    assert cells(table) == rows
    assert lines(table) == expected


cell = st.sampled_from(
    ["1", "", "x", '"q"', '"a,b"', '"a\nb"', '"a\r\nb"', '"a""b"', '5" p', "é", '""', '"\n"', " ", '"\r"']
)
record = st.tuples(st.lists(cell, max_size=4).map(",".join), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))


@SAME_FOLDER
@given(
    before=st.sampled_from(["", "\n", "\r\n\n"]),
    records=st.lists(record, max_size=8),
    block=st.sampled_from([1, 2, 7, files.BLOCK]),
)
def test_good_rows_bad_rows_and_lines_are_those_of_the_csv_module(before, records, block):
    whole = f"{before}n1,n2\n" + "".join(a + b for a, b in records)
    good, bad, end = [], [], 0
    reader = csv.reader(io.StringIO(whole, newline=""))
    for row in reader:
        start, end = end + 1, reader.line_num
        if len(row) > 1 or "".join(row).strip() or '"' in whole.splitlines()[start - 1]:
            (good if len(row) == 2 else bad).append((start, row))
    write(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK", block)
        try:
            table = read("t.csv", header=True, delimiter=",", bad_rows="skip")
        except TableError as error:
            assert len(good) == 1 or "clos" in str(error)
            return
    if table.names == ("n1", "n2"):  # not R's row names
        assert cells(table) == [row for _, row in good[1:]]
        assert lines(table) == [line for line, _ in good[1:]]
        assert [row.line for row in table.skipped] == [line for line, _ in bad]


def test_lines_stay_right_in_a_file_of_many_blocks():
    count = 120_000
    table = read(write("a,b\n" + "".join(f'{i},"{i % 7}\n{"x" * 90}"\n' for i in range(count))))
    assert table.rows == count
    assert lines(table)[:3] == [2, 4, 6]
    assert table.where(count - 1) == f"t.csv, line {2 * count}"


def test_a_line_break_in_a_cell_survives_the_end_of_a_block():
    start = 'a,b\n1,"'
    filler = "x" * (text_files.PARSED - len(start) - 1)  # so that CR is the last byte of Arrow's first block
    table = read(write(f'{start}{filler}\r\ny"\r\n2,z\r\n'))
    assert table.column("b").to_pylist() == [f"{filler}\r\ny", "z"]
    assert lines(table) == [2, 4]


def test_a_cell_of_a_megabyte_and_one_larger_than_a_block_are_read():
    for size in (1_000_000, 20_000_000):
        table = read(write(f"a,b\n1,{'x' * size}\n2,y\n"))
        assert [len(value) for value in table.column("b").to_pylist()] == [size, 1]


def test_blank_lines_are_passed_over_and_said_but_rows_of_empty_cells_stay():
    table = read(write("\n\na,b\n1,2\n\n,\n   \n3,4\n\n\n"))
    assert cells(table) == [["1", "2"], ["", ""], ["3", "4"]]
    assert lines(table) == [4, 6, 8]
    assert "6 blank lines were passed over." in table.decisions


def test_in_a_table_of_one_column_a_blank_line_between_rows_is_an_empty_cell():
    table = read(write('\nage\n41\n\n""\n38\n\n\n'))
    assert (cells(table), lines(table)) == ([["41"], [""], [""], ["38"]], [3, 4, 5, 6])
    assert "3 blank lines were passed over." in table.decisions
    assert read(write("word\nfoo\nbar")).column("word").to_pylist() == ["foo", "bar"]


def test_every_kind_of_line_end_is_read():
    for end, said in (("\n", "LF"), ("\r\n", "CRLF"), ("\r", "CR")):
        table = read(write(end.join(["a,b", "1,2", "3,4"])))
        assert (cells(table), lines(table)) == ([["1", "2"], ["3", "4"]], [2, 3])
        assert table.decisions[-1] == f"Line ends: {said}."
    table = read(write("a,b\r\n1,2\n3,4\r"))
    assert (lines(table), table.decisions[-1]) == ([2, 3], "Line ends: mixed, LF (1), CR (1), CRLF (1).")


def test_a_row_with_too_many_or_too_few_cells_is_an_error_or_is_left_out():
    data = 'a,b,c\n1,2,3\n"x\ny",2,3\n1,2,3,4,5\n1\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n'
    assert message(data) == (
        f"t.csv, line 5: 5 cells were found where 3 were expected: '1,2,3,4,5'. 1 more row is like it. {ADVICE}"
    )
    assert message(f"a,b\n1,2\n{'x' * 99}\n3,4\n5,6\n") == (
        f"t.csv, line 3: 1 cell was found where 2 were expected: '{'x' * 60}…'. {ADVICE}"
    )
    table = read(write(data), bad_rows="skip")
    assert (table.rows, lines(table)) == (6, [2, 3, 7, 8, 9, 10])
    assert table.skipped == (
        SkippedRow("t.csv", 5, "5 cells instead of 3"),
        SkippedRow("t.csv", 6, "1 cell instead of 3"),
    )
    assert table.decisions[-1] == "2 bad rows were left out."
    assert message("a,b\n1\n2\n3,4,5\n", bad_rows="skip") == (
        "t.csv has no usable row: all 3 have another number of cells than the 2 expected (line 2: 1 cell instead of 2). "
        "Check the delimiter and the header."
    )


def test_an_error_carries_file_and_line_as_fields():
    with pytest.raises(TableError) as caught:
        read(write("a,b\n1,2\n3\n4,5\n"))
    assert (caught.value.file, caught.value.line) == ("t.csv", 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('a,b\n1,"x\n2,y\n3,z\n', f"t.csv, line 2: the quote that opens here never closes: '\"x\\n2,y\\n3,z\\n'. {DOUBLED}"),
        ('a,b\n1,5" x\n2,"y\n', f"t.csv, line 3: the quote that opens here never closes: '\"y\\n'. {DOUBLED}"),
        ('a,b\n1,"x\n2,y\n3,"z\n', "t.csv, line 2: the quote that opens here closes only on line 4, in the middle of a cell: "
            f"'\"x\\n2,y\\n3,\"z\\n'. {DOUBLED}"),
        ('a,b\n1,"say \\"hi\\""\n', "t.csv, line 2: a quote inside a cell is escaped by a backslash: "
            "'\"say \\\\\"hi\\\\\"\"\\n'. Write it doubled (\"\"), as most programs do; in pandas: to_csv(…, doublequote=True)."),
    ],
)  # fmt: skip
def test_a_quote_that_does_not_close_is_found_where_it_opens(data, said):
    assert message(data) == said


def test_quotes_that_open_no_cell_are_characters():
    table = read(write('a,b\n5" pipe,1\n6" pipe,2\nx"",3\n'))
    assert table.column("a").to_pylist() == ['5" pipe', '6" pipe', 'x""']
    table = read(write('a,b\n"Big" Jim,1\n"x y",2\n'))
    assert table.column("a").to_pylist() == ["Big Jim", "x y"]
    assert (
        "One cell has text after the closing quote, first on line 2; the quotes were removed, the text kept."
        in table.decisions
    )


def test_spaces_after_delimiters_are_removed_also_around_quotes():
    table = read(write('a, b, c\n1, "x, y", 3\n4, "", 6\n7,  8 , 9\n'))
    assert cells(table) == [["1", "x, y", "3"], ["4", "", "6"], ["7", "8", "9"]]
    assert (
        "Spaces around cells were removed, since nearly every delimiter of the first lines is followed by one."
        in table.decisions
    )
    assert cells(read(write("a,b\n1, x\n2, y \n"))) == [["1", " x"], ["2", " y "]]


def test_single_quotes_r_row_names_excels_note_and_no_header_are_read():
    assert cells(read(write("'a','b'\n'x, y','1'\n'it''s\n','2'\n"))) == [["x, y", "1"], ["it's\n", "2"]]
    table = read(write('"x","y"\n"r1",1,2\n"r2",3,4\n'))
    assert (table.names, cells(table), lines(table)) == (
        ("row", "x", "y"),
        [["r1", "1", "2"], ["r2", "3", "4"]],
        [2, 3],
    )
    table = read(write("sep=;\r\na;b\r\n1;2\r\n"))
    assert (table.names, cells(table), lines(table)) == (("a", "b"), [["1", "2"]], [3])
    assert "Delimiter: semicolon, as the file's first line says." in table.decisions
    table = read(write("1,2\n3,4\n"))
    assert (cells(table), lines(table)) == ([["1", "2"], ["3", "4"]], [1, 2])
