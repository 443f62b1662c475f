"""The contract of the store, over every database: what is written is read, whole or not at all, and a database that goes away breaks nothing but the record."""

import importlib.util
import time
import uuid

import numpy as np
import pytest

from fathom.data.table import Table
from fathom.errors import ExtraError, OptionError, StoreError
from fathom.service.contract import Answered
from fathom.service.records.databases import DATABASES, database_of, shown
from fathom.service.records.recording import Recorder, Recording
from fathom.service.records.store import Entry, is_absent, open_store
from tests.service import postgresql


@pytest.fixture(scope="module")
def server():
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed (the extra postgresql)")
    try:
        context = postgresql.running()
        with context as found:
            yield found
    except postgresql.LackingError as lacking:
        pytest.skip(str(lacking))


@pytest.fixture(params=[database.NAME for database in DATABASES])
def place(request, tmp_path):
    """A place without a store, of each database."""
    if request.param == "sqlite":
        return str(tmp_path / "requests.sqlite")
    return fresh(request.getfixturevalue("server"))


def fresh(server):
    import psycopg

    name = f"try_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def store(place):
    opened = open_store(place, write=True)
    yield opened
    opened.close()


def entries(count=10, now=0.0, version="v", shadow=False, step=1.0):
    return [
        Entry(f"r{i}", 0, now + step * i, "homes", version, f'{{"x": {i}}}', f'{{"y": {i / 4}}}', 0.001 * i, shadow)
        for i in range(count)
    ]


def test_what_was_written_is_read_in_its_order(store):
    store.write(entries())
    store.write(entries(3, version="w"))
    store.write(entries(2, shadow=True))
    window = store.window(version="v", last=4)
    assert window.requests == ("r6", "r7", "r8", "r9") and window.places == (0, 0, 0, 0)
    assert window.rows.to_pylist()[-1] == {"x": 9} and window.answers.to_pylist()[-1] == {"y": 2.25}
    np.testing.assert_array_equal(window.seconds, np.array([6, 7, 8, 9]) * 0.001)  # doubles, bit for bit
    assert store.window().count == 13 and store.window(shadow=True).count == 2
    assert store.window(since=7.5, version="v").requests == ("r8", "r9")
    assert store.counts() == {"requests": 15, "truths": 0} and store.recorded() == 15


def test_what_is_sent_again_is_written_once(store):
    assert store.write(entries(3)) == 3
    assert store.write([*entries(4), *entries(4)]) == 1  # the fourth, once
    assert store.write(entries(3, version="w")) == 3 and store.write(entries(3, shadow=True)) == 3
    assert store.counts()["requests"] == 10


def test_truths_belong_to_a_row_and_a_later_one_stands(store):
    store.write(entries(3))
    assert (
        store.learn([("r0", 0, "y", 1.5), ("r2", 0, "y", "ä\u0000'\"%s?"), ("r1", 5, "y", 1.0), ("q", 0, "y", 1)]) == 2
    )
    assert store.learn([("r0", 0, "y", None), ("r0", 0, "z", True)]) == 2
    window = store.window(labelled=True)
    assert window.requests == ("r0", "r2")
    assert window.truths == {"y": [None, "ä\u0000'\"%s?"], "z": [True, None]}


def test_live_and_shadow_are_paired(store):
    store.write([*entries(4, version="a"), *entries(3, version="b", shadow=True), *entries(4, version="c")])
    live, shadow = store.trials("a", 10)["b"]
    assert live.rows == shadow.rows == 3 and live.to_pylist()[::-1] == [{"y": 0.0}, {"y": 0.25}, {"y": 0.5}]
    assert store.trials("c", 10).keys() == {"b"} and not store.trials("d", 10)


def test_the_pace_is_told(store):
    store.write(entries(8))
    paces = store.pace(0.0, 4, 8.0)
    assert [one["rows"] for one in paces] == [2, 2, 2, 2] and paces[3]["median"] == pytest.approx(0.0065)


def test_what_is_old_is_forgotten_with_its_truths(store):
    store.write(entries(10, step=86_400.0))
    assert store.learn((f"r{i}", 0, "y", 1.0) for i in range(10)) == 10
    now = 10 * 86_400.0
    assert store.keep(rows=8, days=100, now=now) == 2 and store.keep(rows=100, days=5.5, now=now) == 3
    assert store.counts() == {"requests": 5, "truths": 5} and store.recorded() == 10
    assert store.keep(rows=100, days=5.5, now=now) == 0


def test_rows_are_written_all_or_none(store):
    wrong = Entry("r9", 0, 0.0, "homes", "v", "{}", "\ud800", 0.0, False)  # half a character
    with pytest.raises(StoreError):
        store.write([*entries(3), wrong])
    assert store.counts()["requests"] == 0
    store.write(entries(3))  # and the connection goes on
    assert store.counts()["requests"] == 3


def test_notes_are_kept_and_others_see_them(store, place):
    store.note("left_out", ["name"])
    store.note("left_out", ["name", "street"])
    other = open_store(place)
    assert other.notes() == {"left_out": ["name", "street"]}
    other.write(entries(2))
    assert store.window().count == 2
    other.close()


def test_a_store_that_is_not_there_is_a_lesson(place):
    assert is_absent(place) == ("://" not in place)
    with pytest.raises(StoreError, match="There is no store") as told:
        open_store(place)
    assert postgresql.PASSWORD not in str(told.value) and postgresql.PASSWORD not in str(told.value.file)


def note(name):
    return Answered(
        name, "homes", "c0ffee", Table.of({"x": [1.0]}), Table.of({"y": [2.0]}), when=time.time(), seconds=0.1
    )


def test_a_recorder_writes_to_it(place):
    recorder = Recorder(place, Recording(store=place, left_out=("z",)))
    for number in range(50):
        recorder.seen(note(f"r{number}"))
    recorder.close()
    assert recorder.health.written == 50 and not recorder.health.broken
    store = open_store(place)
    assert store.window().count == 50 and store.notes() == {"left_out": ["z"], "share": 1.0}
    store.close()


def test_a_server_that_goes_away_breaks_the_record_alone_and_is_found_again(server, monkeypatch):
    monkeypatch.setattr("fathom.service.records.recording.LONGEST_PAUSE", 0.1)
    place = fresh(server)
    recorder = Recorder(place)
    recorder.seen(note("before"))
    assert recorder.flush() and recorder.health.written == 1
    server.stop()
    try:
        started = time.monotonic()
        recorder.seen(note("lost"))
        assert time.monotonic() - started < 0.5  # whoever answers does not wait
        assert recorder.flush(30)
        told = recorder.health
        assert told.broken and told.dropped == 1 and postgresql.PASSWORD not in told.broken
        with pytest.raises(StoreError, match="See that PostgreSQL runs there"):
            open_store(place)
    finally:
        server.start()
    recorder.seen(note("after"))
    recorder.close()
    assert not recorder.health.broken and recorder.health.written == 2
    store = open_store(place)
    assert store.window().requests == ("before", "after")
    store.close()


def test_a_table_that_another_keeps_locked_is_waited_for_in_bounds(server, monkeypatch):
    import psycopg

    monkeypatch.setattr("fathom.service.records.databases.contract.WAIT", 0.3)
    place = fresh(server)
    store = open_store(place, write=True)
    with psycopg.connect(place) as other, pytest.raises(StoreError, match=r"did not answer within 0\.3 seconds"):
        other.execute("LOCK TABLE fathom.requests IN ACCESS EXCLUSIVE MODE")
        store.write(entries(1))
    store.write(entries(1))
    assert store.counts()["requests"] == 1
    store.close()


def test_a_schema_of_someone_else_is_left_alone(server):
    import psycopg

    place = fresh(server)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA fathom CREATE TABLE fathom.mine(x int)")
    for write in (True, False):
        with pytest.raises(StoreError, match="no store"):
            open_store(place, write=write)
    with psycopg.connect(place) as connection:
        assert connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'fathom'"
        ).fetchone() == (1,)


def test_urls_are_shown_without_what_is_secret():
    assert shown("postgresql://ann:pa%3Ass@[::1]:5433/db?password=x") == "postgresql://ann@[::1]:5433/db"
    assert shown("postgresql://ann:p@a@host:nonsense/db") == "postgresql://…"
    assert database_of("C:/requests.sqlite").NAME == "sqlite"


def test_what_is_no_store_is_told_before_anything_is_served(monkeypatch):
    with pytest.raises(OptionError, match="no store of the kind 'mysql'"):
        Recording(store="mysql://host/db")
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ExtraError, match=r"fathom-learn\[postgresql\]"):
        Recording(store="postgresql://host/db")
