"""D8, D10: several processes that answer on one socket, some of which die."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

from tests.reliability.test_server import once, started
from tests.service.clients import Client, request, run

CLIENTS = 8
ASK = request({"rows": [{"x": 3}]})
BROKEN = (ConnectionError, asyncio.IncompleteReadError)


def workers_of(parent):
    """Return the children of a process, and those of them that live."""
    told = subprocess.run(
        ["ps", "-o", "pid=,stat=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    states = dict(line.split() for line in told.stdout.splitlines())
    return list(states), [int(number) for number, state in states.items() if not state.startswith("Z")]


def events(folder, what):
    lines = (folder / "log.txt").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each.get("event") == what]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_only_what_a_killed_worker_was_answering_is_lost(two_bundles, times, tmp_path, chance):
    """A connection that a dead process held is closed; nobody can answer on it. Every other request is answered, and who asks again is."""
    kills = times(2, 30)
    counts, done = Counter(), threading.Event()
    with started(two_bundles[0], tmp_path, "--workers", "2", "--patience", "30") as (process, port):

        async def client():
            one = await Client.open(port)
            while not done.is_set():
                try:
                    status, _, _ = await one.ask(ASK)
                    counts[status] += 1
                except BROKEN:
                    counts["lost"] += 1
                    one = await Client.open(port)
                    status, _, _ = await one.ask(ASK)  # asked again, and answered by whoever is there
                    counts["again", status] += 1

        async def every():
            await asyncio.gather(*(client() for _ in range(CLIENTS)))

        thread = threading.Thread(target=lambda: run(every()))
        thread.start()
        slow = 0
        try:
            for kill in range(kills):
                _, before = workers_of(process.pid)
                assert len(before) == 2
                time.sleep(chance.random() * 0.2)
                dead = chance.choice(before)
                os.kill(dead, signal.SIGKILL)
                until(lambda: len(events(tmp_path, "worker died")) == kill + 1)  # noqa: B023
                until(lambda: len(events(tmp_path, "worker answers")) == kill + 1)  # noqa: B023
                slow += events(tmp_path, "worker died")[-1]["slowly"]
        finally:
            done.set()
            thread.join(60)
        every_child, alive = workers_of(process.pid)
        assert len(every_child) == len(alive) == 2  # no zombie
        assert set(counts) <= {200, "lost", ("again", 200)}
        assert counts["lost"] == counts["again", 200] <= kills * CLIENTS
        assert counts[200] > 10 * kills
        died, back = ([each["time"] for each in events(tmp_path, name)] for name in ("worker died", "worker answers"))
        print(
            f"{dict(counts)}; back after {[round(b - d, 2) for d, b in zip(died, back, strict=True)]} s, {slow} slowly"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_second_signal_stops_at_once(two_bundles, tmp_path):
    with started(two_bundles[0], tmp_path, "--workers", "2") as (process, port):
        status, _, _ = run(once(port, ASK))
        assert status == 200
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_served_is_one_sentence_however_many_workers(two_bundles, tmp_path, workers):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for each in two_bundles[0].iterdir():
        (damaged / each.name).write_bytes(each.read_bytes()[: -1 if each.suffix == ".onnx" else None])
    with pytest.raises(IndexError), started(damaged, tmp_path, "--workers", str(workers)):
        pytest.fail("it was served")
    (said,) = (tmp_path / "log.txt").read_text().splitlines()
    assert "baseline.onnx" in said and "Copy the bundle again, whole." in said
