"""Numbers are read as people write them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.data.cells.numerals import PLAIN, Form, count_digits, find_form, is_torn, parse, pattern, write_column

FORMS = [
    Form(decimal, thousands, prefix, suffix)
    for decimal, thousands in [
        (".", ""),
        (".", ","),
        (",", ""),
        (",", "."),
        (".", " "),
        (",", " "),
        (".", "'"),
        (",", "'"),
    ]
    for prefix, suffix in [("", ""), ("$", ""), ("EUR", ""), ("", "%"), ("", "€"), ("", "kr")]
]

decimals = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=4).map(
    float
)


@settings(deadline=None)
@given(number=decimals, form=st.sampled_from(FORMS))
def test_a_number_written_in_any_form_is_read_back_exactly(number: float, form: Form) -> None:
    assert parse(pa.array([form.write(number, 4)]), form)[0] == float(f"{number:.4f}")


@settings(deadline=None)
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_is_read_back_to_the_last_bit(numbers: list[float]) -> None:
    text = pa.array([repr(number) for number in numbers])
    assert parse(text).tolist() == numbers
    among_words = pa.concat_arrays([text, pa.array(["no number"])])  # no longer the fast way
    assert parse(among_words)[:-1].tolist() == numbers


@settings(deadline=None)
@given(text=st.text(alphabet="0123456789.,'+-−eE $€%\u00a0\u202ffnaiINF٣x", max_size=12), form=st.sampled_from(FORMS))
def test_any_text_is_a_number_or_none_and_its_neighbours_do_not_matter(text: str, form: Form) -> None:
    alone = parse(pa.array([text]), form)
    among = parse(pa.array([text, "word", "1"]), form)[:1]
    assert np.array_equal(alone, among, equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "form", "numbers"),
    [
        (["1.5", "2", "-3e2"], PLAIN, [1.5, 2, -300]),
        (["1.234,56", "7,1"], Form(",", "."), [1234.56, 7.1]),
        (["1,234.56", "7.1", "1,234,567"], Form(".", ","), [1234.56, 7.1, 1234567]),
        (["1 234,5", "10"], Form(",", " "), [1234.5, 10]),
        (["1\u202f234,5", "1\u00a0000"], Form(",", " "), [1234.5, 1000]),
        (["1'234", "12’345.5"], Form(".", "'"), [1234, 12345.5]),
        (["1,5", "12,345"], Form(","), [1.5, 12.345]),
        (["0,125", "1,250"], Form(","), [0.125, 1.25]),
        (["1,234", "999", "12,345"], Form(".", ","), [1234, 999, 12345]),
        (["12,34,567", "1,23,456"], Form(".", ","), [1234567, 123456]),
        (["1.234", "1.234.567"], Form(",", "."), [1234, 1234567]),
        (["5 %", "12.5%"], Form(suffix="%"), [5, 12.5]),
        (["$1,200", "-$5", "$-7", "8"], Form(".", ",", "$"), [1200, -5, -7, 8]),
        (["1.200 €", "3,50€"], Form(",", ".", "", "€"), [1200, 3.5]),
        (["EUR 5", "EUR 1.5"], Form(prefix="EUR"), [5, 1.5]),
        (["−4", "+4", " 4 "], PLAIN, [-4, 4, 4]),
        ([".5", "5.", "1E5"], PLAIN, [0.5, 5, 100_000]),
        (["inf", "-Infinity", "1e400"], PLAIN, [np.inf, -np.inf, np.inf]),
    ],
)
def test_the_form_of_a_column_is_found(cells: list[str], form: Form, numbers: list[float]) -> None:
    assert find_form(pa.array(cells)) == form
    assert parse(pa.array(cells), form).tolist() == numbers


@pytest.mark.parametrize(
    "cell", ["1,23", "1.234", "12,34", "1,2345", "0,123", "1 234", "$5", "5%", "0x10", "1_000", "", "--1", "1e", "٣"]
)
def test_a_cell_of_another_form_is_no_number(cell: str) -> None:
    expected = {"1.234": 1.234}.get(cell, np.nan)
    assert np.array_equal(parse(pa.array([cell, "word"]), Form(".", ","))[0], expected, equal_nan=True)


def test_one_odd_cell_among_a_million_decides_how_the_commas_are_read() -> None:
    cells = pa.array([str(number) for number in range(30_000)] + ["1,234,567"])
    assert find_form(cells) == Form(".", ",")


def test_a_column_says_whether_its_commas_were_in_doubt() -> None:
    assert is_torn(pa.array(["1,234", "999"]), Form(".", ","))
    assert not is_torn(pa.array(["1,234", "999.5"]), Form(".", ","))
    assert not is_torn(pa.array(["1,5"]), Form(","))


def test_two_currencies_are_not_one_column_of_numbers() -> None:
    cells = pa.array(["$5", "$6", "€7"])
    assert np.isnan(parse(cells, find_form(cells))).tolist() == [False, False, True]


def test_a_form_is_told_in_words() -> None:
    assert Form(",", ".", suffix="%").remarks == "decimal comma, '.' between thousands, in %"
    assert Form(".", " ").remarks == "blanks between thousands"
    assert PLAIN.remarks == ""


def test_columns_are_written_so_that_they_are_read_back() -> None:
    numbers = np.array([1234.5, -0.25, np.nan, 1e20])
    for form in FORMS:
        assert np.array_equal(parse(write_column(numbers, form, 2), form), numbers, equal_nan=True)


def test_decimals_are_counted() -> None:
    assert count_digits(np.array([1.0, 2.0])) == 0
    assert count_digits(np.array([1234567.891])) == 3
    assert count_digits(np.array([1 / 3])) == 6
    assert count_digits(np.array([1e300, 5e-324])) == 6
    assert count_digits(np.array([np.float32(0.1)], np.float64), 1e-7) == 1


def test_the_pattern_anchors_the_whole_cell() -> None:
    assert pattern(PLAIN).startswith("^") and pattern(PLAIN).endswith("$")
