"""The first records tell how a text table is written: delimiter, quotes, names, spaces."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.data.files.dialect import NO_DELIMITER, find_dialect, sample, unquoted

NONE = "Header: none, the first line holds values like those below it; "


def found(text):
    dialect = find_dialect(text, whole=True)
    return dialect.delimiter, dialect.names


@pytest.mark.parametrize(
    ("text", "delimiter", "names"),
    [
        ("a,b\n1,2\n", ",", ("a", "b")),
        ("a\tb\n1\t2\n", "\t", ("a", "b")),
        ("a|b\n1|2\n", "|", ("a", "b")),
        ("a;b\n1,5;2,3\n4,1;5,0\n", ";", ("a", "b")),  # decimal commas
        ("1,5;2,3\n4,1;5,0\n", ";", ("column_1", "column_2")),  # and no names
        ("Name;Preis\nApfel;1.234,50\nBirne;2,00\n", ";", ("Name", "Preis")),
        ("time;said\n12:30;hello, there\n12:31;good, bye\n", ";", ("time", "said")),
        ("id,tags,z\n1,a;b;c,2\n2,a;b,3\n3,q,4\n", ",", ("id", "tags", "z")),
        ('id|doc\n1|{"a":1,"b":2}\n2|{"a":1,"b":3}\n', "|", ("id", "doc")),
        ('"a;b","c"\n"1;2","3"\n"4;5","6"\n', ",", ("a;b", "c")),  # delimiters inside quotes do not count
        ("a,b,c\n1,2\n3,4,5,6\n", ",", ("a", "b", "c")),  # ragged
        ("sep=;\na;b\n1;2\n", ";", ("a", "b")),  # Excel's note
        ("age\n41\n38\n", NO_DELIMITER, ("age",)),
        ("text\nHello, world\nBye, moon\nsee you\n", NO_DELIMITER, ("text",)),
        ("text\nHello, world\nBye, moon\n", NO_DELIMITER, ("text",)),
    ],
)
def test_the_delimiter_is_the_one_that_splits_evenly(text, delimiter, names):
    assert found(text) == (delimiter, names)


@pytest.mark.parametrize(
    ("text", "names", "sentence"),
    [
        ("a,b\n1,x\n2,y\n", ("a", "b"), "Header: the first line holds the names."),
        ("day,v\n2024-05-01,1\n2024-05-02,3\n", ("day", "v"), "Header: the first line holds the names."),
        ("land,1990,1991\nAT,5,6\nDE,8,9\n", ("land", "1990", "1991"), "Header: the first line holds the names."),
        ("0,1,2\n5.1,3.2,1.1\n4,4,5\n", ("0", "1", "2"), "Header: the first line holds the names."),
        ("1,2\n4,5\n7,8\n", ("column_1", "column_2"), NONE + "the columns are called column_1 to column_2."),
        ("5.1,setosa\n4.9,setosa\n7.0,other\n", ("column_1", "column_2"), NONE + "the columns are called column_1 to column_2."),
        ("?,5,x\n3,?,y\n1,2,z\n", ("column_1", "column_2", "column_3"), NONE + "the columns are called column_1 to column_3."),
        ("p,x\ne,x\np,b\n", ("column_1", "column_2"), NONE + "the columns are called column_1 to column_2."),
        ("x,x\nu,v\n", ("column_1", "column_2"), NONE + "the columns are called column_1 to column_2."),
        ("41\n38\n", ("column_1",), NONE + "the column is called column_1."),
        ("name,job\nann,nurse\nbob,cook\n", ("name", "job"),
            "Header: taken to be the first line, though nothing tells it from the rows. If it is a row, say so (header=False)."),
    ],
)  # fmt: skip
def test_names_are_told_from_values_and_a_doubt_is_said(text, names, sentence):
    dialect = find_dialect(text, whole=True)
    assert dialect.names == names
    assert dialect.decisions[1] == sentence


def test_the_caller_settles_whether_there_is_a_header():
    dialect = find_dialect("a,b\n1,2\n", whole=True, header=False)
    assert (dialect.names, dialect.header) == (("column_1", "column_2"), None)
    assert dialect.decisions[1] == "Header: none, as given; the columns are called column_1 to column_2."
    dialect = find_dialect("1,2\n3,4\n", whole=True, header=True)
    assert (dialect.names, dialect.header) == (("1", "2"), 0)
    assert dialect.decisions[1] == "Header: the first line, as given."
    assert find_dialect("a\n1,2,3\n4,5,6\n", whole=True, delimiter=",", header=True).names == ("a",)


def test_row_names_of_r_get_a_column_of_their_own():
    sentence = "The header has one name fewer than the rows have cells, so the first column is called 'row'."
    for text in ('"x","y"\n"r1",1,2\n"r2",3,4\n', "x\ty\nr1\t1\t2\nr2\t3\t4\n"):
        dialect = find_dialect(text, whole=True)
        assert (dialect.width, dialect.names) == (3, ("row", "x", "y"))
        assert sentence in dialect.decisions
    assert find_dialect('"row"\n"a",1\n"b",3\n', whole=True).names == ("row_", "row")
    assert find_dialect("x,y\nr1,1,2\nr1,3,4\n", whole=True).names != ("row", "x", "y")  # row names are distinct


def test_a_delimiter_at_the_end_of_every_row_makes_an_empty_column_not_row_names():
    dialect = find_dialect("a,b\n1,2,\n3,4,\n", whole=True)
    assert dialect.names == ("a", "b", "column_3")
    assert dialect.decisions[-1] == "Column 3 has no name; it is called 'column_3'."


def test_names_that_are_empty_are_filled_in_without_a_clash():
    dialect = find_dialect(",b,,column_3\n1,2,3,4\n", whole=True)
    assert dialect.names == ("column_1", "b", "column_3_", "column_3")
    assert dialect.decisions[-2:] == (
        "Column 1 has no name; it is called 'column_1'.",
        "Column 3 has no name; it is called 'column_3_'.",
    )
    many = find_dialect("a" + "," * 9 + "\n" + ",".join("123456789x") + "\n", whole=True)
    assert many.decisions[-1] == "9 columns have no name; they are called column_ and their position."


def test_lines_above_the_names_are_not_taken_for_names():
    dialect = find_dialect("Report 2024\n\nname,age,x\nann,3,4\nbob,4,5\nzoe,1,2\n", whole=True)
    assert (dialect.names, dialect.header) == (("name", "age", "x"), 2)
    dialect = find_dialect("|1x3 title\n25, Private, <=50K.\n38, Local, <=50K.\n28, Private, >50K.\n", whole=True)
    assert (dialect.delimiter, dialect.width, dialect.spaced, dialect.header) == (",", 3, True, None)


def test_spaces_after_delimiters_are_decoration_only_when_the_first_line_has_them_too():
    assert find_dialect("39, State-gov, 77516\n50, Self-emp, 83311\n", whole=True).spaced
    assert find_dialect("name, age\nAnn, 41\nBob, 38\n", whole=True).names == ("name", "age")
    assert find_dialect('"Month", "1958", "1959"\n"JAN",  340,  360\n', whole=True).names == ("Month", "1958", "1959")
    assert not find_dialect("name,age\nAnn, 41\nBob, 38\n", whole=True).spaced
    assert not find_dialect('"name"," age"\n"Ann"," 41"\n"Bob"," 38"\n', whole=True).spaced  # quoted: they belong


def test_single_quotes_are_quotes_when_a_whole_column_stands_in_them():
    dialect = find_dialect("'a','b'\n'x, y','1'\n'z','2'\n", whole=True)
    assert (dialect.quote, dialect.names) == ("'", ("a", "b"))
    assert find_dialect("a,b\n'tis,1\nfoo,2\n", whole=True).quote == '"'


def test_a_record_that_is_cut_at_the_end_of_the_text_is_not_looked_at():
    assert sample("a,b\n1,2\n3", ",", '"', whole=False) == [["a", "b"], ["1", "2"]]
    assert sample("a,b\n1,2\n3", ",", '"', whole=True) == [["a", "b"], ["1", "2"], ["3"]]


@given(
    st.lists(st.lists(st.text(st.sampled_from("a1,;\"\n\r 'é"), max_size=6), min_size=2, max_size=4), max_size=5),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(",;\t|"),
)
def test_records_are_split_as_the_csv_module_splits_them(records, quoting, delimiter):
    sink = io.StringIO()
    csv.writer(sink, quoting=quoting, delimiter=delimiter).writerows(records)
    split = sample(sink.getvalue(), delimiter, '"', whole=True)
    assert [[unquoted(cell, '"') for cell in record] for record in split] == records


@given(st.text(st.sampled_from('a,"\n '), max_size=30))
def test_any_text_is_split_as_the_csv_module_splits_it(text):
    expected = [record or [""] for record in csv.reader(io.StringIO(text, newline=""))]
    split = [[unquoted(cell, '"') for cell in record] for record in sample(text, ",", '"', whole=True)]
    assert split == expected
