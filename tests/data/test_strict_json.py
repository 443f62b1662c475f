"""JSON is read as the standard has it, and every refusal says where."""

import json
import re

import pytest

from fathom.data.strict_json import NotStrictError, parse
from tests.data.json_cases import accepted, left_open, refused

PLACE = re.compile(r"(character|byte) \d+|mark of the byte order")


def test_what_every_reader_must_take_is_read():
    for name, document in accepted().items():
        assert parse(document) == json.loads(document), name


def test_what_no_reader_may_take_is_refused_with_its_place():
    for name, document in refused().items():
        with pytest.raises(NotStrictError) as caught:
            pytest.fail(f"{name} was read as {parse(document)!r}")
        assert PLACE.search(str(caught.value)), (name, str(caught.value))


def test_where_the_standard_leaves_the_choice_nothing_is_lost():
    for name, (document, taken) in left_open().items():
        try:
            value = parse(document)
        except NotStrictError as error:
            assert not taken, name
            assert PLACE.search(str(error)), (name, str(error))
        else:
            assert taken, (name, value)


@pytest.mark.parametrize(
    "document, words",
    [
        (b'{"a": 1,\n "b": {"c": 1,\n       "c": 2}}', "has the key 'c' twice in one object, at line 3, character 8"),
        (b'["NaN", "1e999", NaN]', "holds NaN, which JSON does not have (null is what is not known), at character 18"),
        (b'["\\"[[[", [[1e999]]]', "holds 1e999, which is more than a number can be, at character 13"),
        (b'{"a": "\\ud834\\udd1e", "b": "\\ud834"}', "holds a \\u escape that stands for half a character, at character 28"),
        (b"[1e9991012.4]", "holds 1e9991012, which is more than a number can be, at character 2"),
        (b"[NaN5]", "holds NaN, which JSON does not have (null is what is not known), at character 2"),
        (b"[" + b"7" * 5_000 + b"]", "holds a whole number of more than 4,300 digits, at character 2"),
        (b'{"[[[": [[[[1]]]]}', "is nested more than 3 deep, at character 11"),
        (b'[1,\n2,\n\x00]', "is not JSON: Expecting value at line 3, character 1"),
        (b'["\xc3\xa9", "\xff"]', "is not UTF-8: byte 9 begins no character"),
    ],
)  # fmt: skip
def test_the_place_is_that_of_the_fault(document, words):
    with pytest.raises(NotStrictError) as caught:
        parse(document, deepest=3)
    assert str(caught.value) == words


@pytest.mark.timeout(60)  # they took time by the square of their length: minutes, and hours
def test_a_key_twice_among_many_and_quotes_that_never_close_are_refused():
    keys = b"{" + b",".join(b'"key %d": 1' % place for place in range(100_000)) + b', "key 99999": 1}'
    quotes = b"[" * 200 + b'"a\\' * 300_000
    for document in (keys, quotes):
        with pytest.raises(NotStrictError):
            parse(document)
