"""The door lets in what can be answered in time."""

import time

import pytest

from fathom.service.host.admission import FEW, Admission
from fathom.service.refusing import Refused


def at_pace(seconds, monkeypatch, count=400, inside=20):
    """Return a door through which requests went at a pace, with so many inside all the time."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    door = Admission()
    for _ in range(inside):
        door.enter(clock[0] + 1e9)
    for _ in range(count):
        clock[0] += seconds
        door.leave()
        door.enter(clock[0] + 1e9)
    return door, clock


def test_it_refuses_what_would_be_too_late_and_says_when_to_come_again(monkeypatch):
    door, clock = at_pace(0.1, monkeypatch)
    assert door.pace == pytest.approx(0.1, rel=0.05)
    door.enter(clock[0] + 10)  # twenty inside take two seconds
    with pytest.raises(Refused) as refused:
        door.enter(clock[0] + 1)
    assert (refused.value.status, round(refused.value.retry_after, 1)) == (429, 2.1)


def test_a_few_are_always_let_in_and_a_slow_one_alone_says_nothing(monkeypatch):
    door, clock = at_pace(5.0, monkeypatch, count=30, inside=1)
    assert door.pace == 0.0
    door.pace = 5.0
    for _ in range(FEW - door.inside):
        door.enter(clock[0] + 0.1)
    with pytest.raises(Refused):
        door.enter(clock[0] + 0.1)


def test_it_learns_that_the_server_has_become_quick_again(monkeypatch):
    door, clock = at_pace(1.0, monkeypatch, count=60)
    with pytest.raises(Refused):
        door.enter(clock[0] + 10)
    for _ in range(2_000):
        clock[0] += 0.001
        door.leave()
        door.inside += 1
    door.enter(clock[0] + 10)
