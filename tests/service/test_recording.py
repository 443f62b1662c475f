"""The store takes note of every answer, forgets what is old, and never stands in the way of one (row I4)."""

import os
import resource
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from fathom.data.table import Table
from fathom.errors import OptionError, StoreError
from fathom.service.contract import Answered
from fathom.service.records.recording import Recorder, Recording
from fathom.service.records.store import Entry, open_store

ROWS = Table.of({"age": [41.0, float("nan")], "name": ["Ann\u2028", None], "photo": [b"\x00\xff", None]})
ANSWERS = Table.of({"price": [7.5, float("inf")]})


def note(name="a1", rows=ROWS, answers=ANSWERS, **other):
    values = {"when": time.time(), "seconds": 0.001, **other}
    return Answered(name, "homes", "c0ffee", rows, answers, **values)


@pytest.fixture
def recorded(tmp_path):
    recorders = []

    def make(**recording):
        recorders.append(Recorder(tmp_path / "requests.sqlite", Recording(**recording)))
        return recorders[-1]

    yield make
    for one in recorders:
        one.close()


def window(recorder, **choice):
    assert recorder.flush()
    store = open_store(recorder.place)
    found = store.window(**choice)
    store.close()
    return found


def test_what_was_seen_can_be_read_again(recorded):
    recorder = recorded()
    recorder.seen(note())
    found = window(recorder, version="c0ffee")
    assert found.requests == ("a1", "a1") and found.places == (0, 1)
    assert found.rows.to_pylist()[0] == {"age": 41.0, "name": "Ann\u2028", "photo": "data:;base64,AP8="}
    assert found.rows.to_pylist()[1] == {"age": None, "name": None, "photo": None}  # not a number is not known
    assert found.answers.to_pylist() == [{"price": 7.5}, {"price": None}]
    assert not window(recorder, version="other").count and not window(recorder, shadow=True).count


def test_a_request_that_is_sent_again_is_written_once(recorded):
    """As the page does, which asks for the reasons of an answer under the id of that answer."""
    recorder = recorded()
    later = Table.of({"age": [42.0, 1.0], "name": ["Ann", None], "photo": [None, b"\x01"]})
    for one in (note(), note(shadow=True), note(seconds=0.2), note(rows=later), note("a2"), note(shadow=True), note()):
        recorder.seen(one)
    found = window(recorder)
    assert found.requests == ("a1", "a1", "a1", "a1", "a2", "a2")
    assert found.rows.to_pylist()[2]["age"] == 42.0  # under one id, but another row
    assert window(recorder, shadow=True).count == 2
    assert recorder.health.written == 8


def test_a_column_that_is_left_out_is_never_written(recorded):
    recorder = recorded(left_out=("name",))
    recorder.seen(note())
    assert "name" not in window(recorder).rows.names
    assert "Ann" not in Path(recorder.place).read_bytes().decode("latin-1")


def test_a_share_of_the_requests_is_taken_whole_and_with_its_shadow(recorded):
    recorder = recorded(share=0.25)
    for number in range(400):
        for shadow in (False, True):
            recorder.seen(note(f"r{number}", shadow=shadow))
    live, shadow = window(recorder, last=10_000), window(recorder, last=10_000, shadow=True)
    assert live.requests == shadow.requests
    assert 60 <= len(set(live.requests)) <= 140
    assert live.count == 2 * len(set(live.requests))


def test_old_rows_are_forgotten_with_their_truths(tmp_path):
    store = open_store(tmp_path / "requests.sqlite", write=True)
    now = time.time()
    entries = [Entry(f"r{i}", 0, now - 86_400 * (10 - i), "m", "v", "{}", "{}", 0.0, False) for i in range(10)]
    store.write(entries)
    assert store.learn((f"r{i}", 0, "price", 1.0) for i in range(10)) == 10
    assert store.keep(rows=8, days=100, now=now) == 2
    assert store.keep(rows=100, days=5.5, now=now) == 3
    assert store.counts() == {"requests": 5, "truths": 5}
    assert store.window().requests == ("r5", "r6", "r7", "r8", "r9")


def test_truths_without_a_request_are_counted_and_left_out(recorded):
    recorder = recorded()
    recorder.seen(note())
    recorder.flush()
    store = open_store(recorder.place, write=True)
    assert store.learn([("a1", 1, "price", 8.0), ("a1", 7, "price", 8.0), ("nobody", 0, "price", 8.0)]) == 1
    assert store.learn([("a1", 1, "price", 9.0)]) == 1  # a later truth takes the place of an earlier one
    found = store.window(labelled=True)
    assert found.places == (1,) and found.truths == {"price": [9.0]}


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"rows": 0}, {"days": 0.0}])
def test_a_recording_that_cannot_be_is_refused(wrong):
    with pytest.raises(OptionError):
        Recording(**wrong)


def test_a_cell_that_is_too_large_leaves_its_row_out_and_is_counted(recorded):
    recorder = recorded(cell_bytes=100)
    recorder.seen(note(rows=Table.of({"text": ["x" * 101, "short"]})))
    assert window(recorder).places == (1,)
    assert (recorder.health.too_large, recorder.health.dropped, recorder.health.written) == (1, 1, 1)


def test_what_comes_faster_than_it_can_be_written_is_dropped_and_counted(recorded, monkeypatch):
    monkeypatch.setattr("fathom.service.records.recording.WAITING_ROWS", 50)
    monkeypatch.setattr("fathom.service.records.databases.contract.WAIT", 0.2)
    recorder = recorded()
    blocker = sqlite3.connect(recorder.place)
    blocker.execute("BEGIN IMMEDIATE")  # another process writes, and does not end
    for number in range(100):
        start = time.monotonic()
        recorder.seen(note(f"r{number}"))
        assert time.monotonic() - start < 1.0  # never waits for the store, whose own patience is longer
    assert recorder.health.dropped >= 100
    blocker.rollback()
    blocker.close()


def test_a_full_disk_breaks_the_recorder_alone_and_heals(recorded, monkeypatch):
    monkeypatch.setattr("fathom.service.records.recording.LONGEST_PAUSE", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorder = recorded()
    recorder.seen(note())
    assert recorder.flush() and recorder.health.written == 2
    large = Table.of({"text": ["x" * 50_000] * 20})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # what a full disk is to this process
        for number in range(5):
            recorder.seen(note(f"r{number}", rows=large, answers=Table.of({"price": [1.0] * 20})))
        recorder.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert recorder.health.broken and recorder.health.dropped
    recorder.seen(note("later"))
    found = window(recorder)
    assert "later" in found.requests and not recorder.health.broken


def test_a_damaged_store_breaks_the_recorder_alone_until_it_is_moved_away(tmp_path, recorded, monkeypatch):
    monkeypatch.setattr("fathom.service.records.recording.LONGEST_PAUSE", 0.1)
    path = tmp_path / "requests.sqlite"
    path.write_bytes(os.urandom(50_000))
    before = path.read_bytes()
    recorder = recorded()
    recorder.seen(note())
    assert recorder.flush()
    assert "damaged" in recorder.health.broken and recorder.health.dropped == 2
    assert path.read_bytes() == before  # what is not ours to mend is not touched
    path.rename(tmp_path / "damaged")
    recorder.seen(note("later"))
    assert window(recorder).requests == ("later", "later") and not recorder.health.broken


def test_a_file_of_someone_else_is_refused(tmp_path):
    other = sqlite3.connect(tmp_path / "requests.sqlite")
    other.execute("CREATE TABLE mine(x)")
    other.commit()
    other.close()
    for write in (True, False):
        with pytest.raises(StoreError, match="no store of Fathom"):
            open_store(tmp_path / "requests.sqlite", write=write)
    with pytest.raises(StoreError, match="no store"):
        open_store(tmp_path / "nothing.sqlite")


def test_a_clock_that_goes_back_is_told_and_loses_nothing(recorded):
    recorder = recorded()
    recorder.seen(note("first"))
    recorder.flush()
    recorder.seen(note("second", when=time.time() - 7_200))
    assert window(recorder).requests == ("first", "first", "second", "second")
    assert "gone back" in recorder.health.broken
    recorder.seen(note("third", when=time.time() - 7_100))
    assert window(recorder).count == 6 and not recorder.health.broken


def test_an_answer_that_cannot_be_written_down_raises_nothing(recorded):
    recorder = recorded()
    recorder.seen(note("\ud800", rows=Table.of({"x": [1]}), answers=Table.of({"y": [1.0]})))  # half a character
    recorder.seen(None)
    recorder.flush()
    assert recorder.health.broken
    recorder.seen(note("later"))
    assert "later" in window(recorder).requests


def test_numbers_that_are_none_pass_through(recorded):
    recorder = recorded()
    values = np.array([np.nan, np.inf, -np.inf, 1e308])
    recorder.seen(note(rows=Table.of({"x": values}), answers=Table.of({"y": values})))
    assert window(recorder).rows.column("x").to_pylist() == [None, None, None, 1e308]


def test_a_recorder_that_is_closed_drops_and_raises_nothing(recorded):
    recorder = recorded()
    recorder.seen(note("before"))
    recorder.close()
    recorder.seen(note("after"))
    assert (recorder.health.written, recorder.health.dropped) == (2, 2)
