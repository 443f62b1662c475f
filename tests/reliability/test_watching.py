"""Rows I1, I2 and I4 of the goals: no alarm without drift, an alarm with it, and a monitor that fails alone."""

import numpy as np
import pytest

from tests.service.planted import CHANGES, ROWS, TRAIN, USUAL_TEXT, World, table, texts

EACH = 20  # windows for each set of training rows


def test_windows_without_drift_raise_no_alarm(times):
    """I1. In words: of looks at rows like those of training, 5 of 100 call one of some thirty questions certain, and (nearly) none calls it worth a word."""
    generator = np.random.default_rng(20)
    windows = times(60, 1_000)
    certain = alarms = 0
    for number in range(windows):
        if number % EACH == 0:
            world = World.of(table(generator, TRAIN))
        seen = world.look(table(generator, ROWS))
        certain += any(one.corrected < 0.05 for one in seen)
        alarms += any(one.status == "drift" for one in seen)
    print(f"{windows} windows: {certain} with something certain, {alarms} with an alarm")
    assert certain <= (0.065 if windows >= 1_000 else 0.1) * windows
    assert alarms <= 0.01 * windows


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_the_documented_size_is_found(kind, times):
    """I2. Each kind moves about 1.5 times the least effect, in one of a dozen columns, in a window of 1,000 rows: found in 9 of 10 or more, and no other column is blamed."""
    generator = np.random.default_rng(21)
    values = table(generator, TRAIN)
    values["text"] = texts(generator, 1_000, USUAL_TEXT)
    world = World.of(values)
    column, change = CHANGES[kind]
    count = times(3, 50)
    found = blamed = 0
    for _ in range(count):
        rows = table(generator, ROWS)
        if column == "text":
            rows["text"] = texts(generator, ROWS, USUAL_TEXT)
        rows[column] = change(generator, rows[column])
        alarms = [one for one in world.look(rows) if one.status == "drift"]
        found += any(one.column == column for one in alarms)
        blamed += any(one.column != column for one in alarms)
    print(f"{kind}: {found} of {count}")
    assert found >= 0.9 * count - (count < 50)
    assert blamed == 0
