"""JSON lines become columns without a value changed in silence, and a broken line is named."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fathom.data.files import json_lines
from fathom.data.files.reading import read
from fathom.data.table import SkippedRow
from fathom.errors import TableError

ADVICE = (
    'Each line must be one JSON object, such as {"age": 41, "job": "nurse"}. Correct it, or leave such lines out with '
    '--bad-rows skip (in Python: bad_rows="skip").'
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(data, name="t.jsonl"):
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)
    return name


def message(data, name="t.jsonl", **options):
    with pytest.raises(TableError) as caught:
        read(write(data, name), **options)
    return str(caught.value)


def test_keys_are_columns_in_order_and_a_lacking_key_is_null():
    table = read(write('{"b": 1, "a": "x"}\n\n{"a": "y", "c": [1, 2], "b": null}\r\n{"c": [], "d": {"e": true}}'))
    assert table.names == ("b", "a", "c", "d")
    assert table.to_pylist() == [
        {"b": 1, "a": "x", "c": None, "d": None},
        {"b": None, "a": "y", "c": [1, 2], "d": None},
        {"b": None, "a": None, "c": [], "d": {"e": True}},
    ]
    assert [table.where(row) for row in range(3)] == ["t.jsonl, line 1", "t.jsonl, line 3", "t.jsonl, line 4"]
    assert table.decisions == ("Format: JSON lines, one object a line.", "Encoding: UTF-8.")


def test_no_value_is_changed_in_silence():
    table = read(
        write(
            '{"whole": 12345678901234567890, "big": 1e400, "time": "2020-01-01", "mixed": 1, "mean": 1, "near": 9007199254740993}\n'
            '{"whole": 1, "big": 2.50, "time": "2020-01-02 10:00", "mixed": "007", "mean": 0.5, "near": 1.5}\n'
            '{"mixed": true}\n{"mixed": [1, {"a": null}]}\n'
        )
    )
    assert table.column("whole").to_pylist() == ["12345678901234567890", "1", None, None]
    assert table.column("big").to_pylist() == ["1e400", "2.50", None, None]
    assert table.column("time").to_pylist() == ["2020-01-01", "2020-01-02 10:00", None, None]
    assert table.column("mixed").to_pylist() == ["1", "007", "true", '[1, {"a": null}]']
    assert table.column("mean").to_pylist() == [1.0, 0.5, None, None]
    assert table.column("near").to_pylist() == ["9007199254740993", "1.5", None, None]


def test_text_that_looks_like_a_time_stays_text_also_inside_lists_and_late_in_the_file():
    many = "".join(f'{{"a": ["x{i}"], "b": null}}\n' for i in range(60_000))  # more than the first block
    table = read(write(many + '{"a": ["2020-01-01"], "b": "2020-01-01"}\n{"b": "2020-01-02T10:00:00"}\n'))
    assert table.arrow.slice(60_000).to_pylist() == [
        {"a": ["2020-01-01"], "b": "2020-01-01"},
        {"a": None, "b": "2020-01-02T10:00:00"},
    ]
    assert read(write('{"a": ["2020-01-01"], "b": {"c": "2020-01-01"}}\n')).to_pylist() == [
        {"a": ["2020-01-01"], "b": {"c": "2020-01-01"}}
    ]


scalar = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=5), st.sampled_from(["2020-01-01", "1e400", "NaN"]),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abc"), scalar, min_size=1), min_size=1, max_size=5))
def test_any_scalars_come_back_equal_or_as_their_own_text(rows):
    table = read(write("\n".join(json.dumps(row) for row in rows)))
    for name in {name for row in rows for name in row}:
        for value, found in zip([row.get(name) for row in rows], table.column(name).to_pylist(), strict=True):
            as_text = value if isinstance(value, str) else json.dumps(value)
            assert found in (value, as_text)
            assert value is None or found is not None


def test_the_fast_and_the_careful_reader_agree(monkeypatch):
    data = '{"a": 1, "b": 0.5, "c": "é\\n", "d": true, "e": [1, 2], "f": {"g": "h"}}\n{"b": 2, "c": null}\n'
    fast = read(write(data)).arrow
    monkeypatch.setattr(json_lines, "_arrow_table", lambda content, characters: None)
    careful = read("t.jsonl").arrow
    assert fast.equals(careful)
    assert careful.schema.field("a").type == pa.int64()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a":', "it is not JSON: Expecting value at character 6"),
        ('{"a": 1} {"a": 2}', "it is not JSON: Extra data at character 10"),
        ("{'a': 1}", "it is not JSON: Expecting property name enclosed in double quotes at character 2"),
        ("[1, 2]", "it is an array, not an object"),
        ('"x"', "it is a string, not an object"),
        ("5", "it is a number, not an object"),
        ("true", "it is true or false, not an object"),
        ("null", "it is null, not an object"),
        ('{"a": NaN}', "it holds NaN, which JSON does not have (null is what is not known), at character 7"),
        (
            '{"a": [-Infinity]}',
            "it holds -Infinity, which JSON does not have (null is what is not known), at character 8",
        ),
        ('{"a": 1, "a": 2}', "it has the key 'a' twice in one object, at character 10"),
        ('{"a": "\\ud800"}', "it holds a \\u escape that stands for half a character, at character 7"),
    ],
)
def test_a_bad_line_is_named_or_left_out(line, reason):
    data = f'{{"a": 1}}\n\n{line}\n{{"a": 3}}\n'
    assert message(data) == f"t.jsonl, line 3 cannot be a row: {reason}: {line!r}. {ADVICE}"
    table = read("t.jsonl", bad_rows="skip")
    assert table.to_pylist() == [{"a": 1}, {"a": 3}]
    assert table.where(1) == "t.jsonl, line 4"
    assert table.skipped == (SkippedRow("t.jsonl", 3, reason),)
    assert table.decisions[-1] == "1 bad line was left out."


def test_nesting_that_would_crash_a_parser_is_refused():
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        deep = f'{{"a": {opened * 50_000}1{closed * 50_000}}}'
        assert message(f'{{"a": 1}}\n{deep}\n').startswith(
            "t.jsonl, line 2 cannot be a row: it is nested more than 100 deep, at character "
        )
    brackets = "[" * 3000
    assert read(write(f'{{"a": "{brackets}"}}\n' * 3)).column("a").to_pylist() == [brackets] * 3


def test_files_without_usable_lines_are_refused():
    assert message("{}\n{}\n") == "t.jsonl has no columns: its objects have no keys."
    assert message("[1]\n", bad_rows="skip") == (
        "t.jsonl has no usable line: all 1 are bad (line 1: it is an array, not an object). Each line must be one JSON object."
    )
    assert message('[{"a": 1}]', name="t.json") == (
        "t.json is one JSON array, and JSON lines were expected: one object on each line, without brackets around them or "
        "commas between. In pandas: to_json(path, orient='records', lines=True)."
    )


def test_objects_under_another_name_packed_or_in_utf_16_are_read():
    data = '{"a": "é", "": 1}\n'
    expected = [{"a": "é", "column_2": 1}]
    assert read(write(data, "t.txt")).to_pylist() == expected
    assert read(write(gzip.compress(data.encode()), "t.ndjson.gz")).to_pylist() == expected
    assert read(write(data.encode("utf-16"), "u.jsonl")).to_pylist() == expected
    assert read(write(data.encode("latin-1"), "l.jsonl"), encoding="latin-1").to_pylist() == expected
    assert read(write("{1},b\n2,3\n", "t.csv")).names == ("{1}", "b")


def test_a_line_longer_than_a_block_is_read():
    size = json_lines._PARSED + 9
    table = read(write(f'{{"a": "{"x" * size}"}}\n{{"a": "y"}}\n'))
    assert [len(value) for value in table.column("a").to_pylist()] == [size, 1]
