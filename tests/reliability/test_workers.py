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

from fathom.service.web.serving import listen
from tests.reliability.test_server import once, started
from tests.service.clients import Client, request, run

CLIENTS = 8
ASK = request({"rows": [{"x": 3}]})
READY, LIVE = (f"GET /health/{word} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode() for word in ("ready", "live"))
BROKEN = (ConnectionError, asyncio.IncompleteReadError)


def children_of(parent):
    """Return the children of a process, with their states."""
    told = subprocess.run(
        ["ps", "-o", "pid=,stat=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return {int(number): state for number, state in map(str.split, told.stdout.splitlines())}


def answering(folder):
    """Return the processes that answer, by what the log says."""
    (start,) = events(folder, "workers started")
    alive = set(start["processes"]) | {each["process"] for each in events(folder, "worker answers")}
    return sorted(alive - {each["process"] for each in events(folder, "worker died")})


def patient(**constants):
    """Return a program that serves with other bounds of `fathom.service.web.faltering`."""
    settings = "; ".join(f"faltering.{name} = {value!r}" for name, value in constants.items())
    return "-c", f"from fathom import cli; from fathom.service.web import faltering; {settings}; cli.main()"


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
    kills = times(2, 100)
    counts, done = Counter(), threading.Event()
    served = started(two_bundles[0], tmp_path, "--workers", "2", "--patience", "30", program=patient(MOST_DEATHS=10**6))
    with served as (process, port):

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
        try:
            for kill in range(kills):
                before = answering(tmp_path)
                assert len(before) == 2
                time.sleep(chance.random() * times(0.2, 6.0))  # the spare is there by then, or still loads
                os.kill(chance.choice(before), signal.SIGKILL)
                until(lambda: len(events(tmp_path, "worker died")) == kill + 1)  # noqa: B023
                until(lambda: len(events(tmp_path, "worker answers")) == kill + 1)  # noqa: B023
        finally:
            done.set()
            thread.join(60)
        until(lambda: len(children_of(process.pid)) == 3)  # the spare
        assert not [state for state in children_of(process.pid).values() if state.startswith("Z")]
        assert set(counts) <= {200, "lost", ("again", 200)}
        assert counts["lost"] == counts["again", 200] <= kills * CLIENTS
        assert counts[200] > 10 * kills
        died, back = ([each["time"] for each in events(tmp_path, name)] for name in ("worker died", "worker answers"))
        print(f"{dict(counts)}; back after {[round(b - d, 2) for d, b in zip(died, back, strict=True)]} s")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_server_whose_workers_die_too_often_says_so_and_recovers(two_bundles, times, tmp_path):
    """Too many deaths: not ready, a pause before the next process, and what watches answers meanwhile; ready again when they live."""
    most = times(2, 5)
    bounds = patient(MOST_DEATHS=most, PAUSE=1.0, STEADY=times(0.5, 5.0))

    def asked(port, content):
        status, headers, body = run(once(port, content))
        return status, headers, json.loads(body)

    with started(two_bundles[0], tmp_path, "--workers", "2", program=bounds) as (process, port):
        assert asked(port, READY)[0] == 200
        killed = set()
        while not events(tmp_path, "faltering") or answering(tmp_path):
            for each in set(answering(tmp_path)) - killed:
                os.kill(each, signal.SIGKILL)
                killed.add(each)
            time.sleep(0.02)
        assert events(tmp_path, "faltering")[0]["deaths"] == most
        assert asked(port, LIVE) == (200, {"content-type": "application/json", "content-length": "13", "connection": "close"}, {"live": True})  # fmt: skip
        assert asked(port, READY)[0] == 503
        status, headers, body = asked(port, ASK)
        assert status == 503 and int(headers["retry-after"]) >= 1 and "died too often" in body["error"]
        begun = events(tmp_path, "faltering")[0]["time"]
        until(lambda: len(answering(tmp_path)) == 2)
        assert events(tmp_path, "worker answers")[-1]["time"] - begun >= 1.0
        assert asked(port, ASK)[0] == 200
        until(lambda: events(tmp_path, "steady again"))
        assert asked(port, READY)[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_no_worker_outlives_the_process_that_watches(two_bundles, tmp_path):
    with started(two_bundles[0], tmp_path, "--workers", "2") as (process, port):
        alive = answering(tmp_path)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
        until(lambda: not any(is_running(each) for each in alive))
        listen("127.0.0.1", port).close()  # free for whoever is started next


def is_running(process):
    """Say whether a process runs that is nobody's child any more, or is dead and waits to be buried."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(told.stdout.strip()) and not told.stdout.startswith("Z")


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
