"""What a server survives: many clients, too many, slow and broken ones, bad bodies, versions that change, and being stopped."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest

from fathom.service.refusing import Limits
from fathom.service.shelf.versions import make_shelf
from tests.conftest import ROOT
from tests.service.clients import Client, request, run, seconds_until_closed
from tests.service.running import running

MOST_DIFFERENCE = 1e-6


def alike(found, expected):
    """Say whether two answers are the same, but for the last digits of a float32."""
    return all(
        abs(found[name] - value) <= MOST_DIFFERENCE if isinstance(value, float) else found[name] == value
        for name, value in expected.items()
    )


def test_many_clients_each_hear_their_own_answer_once(late, rows, late_network, flights, times):
    """D1: the id and the answer of every request are its own."""
    connections, seconds = times(100, 1_000), times(3, 60)
    expected = [late.predict(row).json()["answers"][0] for row in rows[:200]]
    wrong, counts = [], Counter()

    async def client(number, end):
        one = await Client.open(late.port)
        for turn in range(10**9):
            if time.monotonic() > end:
                break
            place = (number * 7 + turn) % 200
            key = f"{number}-{turn}"
            status, _, body = await one.ask(request({"rows": [rows[place]]}, "/predict", f"x-request-id: {key}"))
            counts[status] += 1
            if status == 200:
                found = json.loads(body)
                if found["request"] != key or not alike(found["answers"][0], expected[place]):
                    wrong.append((key, found))
        one.close()

    async def every():
        end = time.monotonic() + seconds
        await asyncio.gather(*(client(number, end) for number in range(connections)))

    before = late.host.models["late"].live.batcher.counts.batches
    run(every())
    assert not wrong
    assert set(counts) <= {200, 429}  # refused is not lost
    assert counts[200] > 0.9 * counts.total()
    assert late.host.models["late"].live.batcher.counts.batches - before < counts[200] or before


class Clock:
    """Keeps how long the server took for each answer."""

    def __init__(self):
        self.seconds = []

    def seen(self, answered):
        self.seconds.append(answered.seconds)


def test_under_too_much_load_what_is_accepted_is_answered_in_time(late_bundle, rows, times):
    """D2: the queue keeps its length, the rest hears 429 with Retry-After, liveness stays, and it is soon over."""
    limits = Limits(waiting=256, deadline=1.0, linger=0.05)
    body = {"rows": rows[:64]}
    with running({"late": late_bundle}, limits) as served:
        batcher = served.host.models["late"].live.batcher
        quick = batcher.run

        def slow(arrays):
            time.sleep(0.01)
            return quick(arrays)

        batcher.run = slow
        longest, seen, alive, refused = [], Counter(), [], []
        clock = Clock()
        served.host.observers = (*served.host.observers, clock)

        async def client(end):
            one = await Client.open(served.port)
            while time.monotonic() < end:
                status, headers, _ = await one.ask(request(body))
                seen[status] += 1
                if status in (429, 503):
                    refused.append(headers.get("retry-after"))
                    await asyncio.sleep(0.05)
            one.close()

        async def looks(end):
            one = await Client.open(served.port)
            while time.monotonic() < end:
                longest.append(batcher.waiting_rows)
                status, _, _ = await one.ask(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                alive.append(status)
                await asyncio.sleep(0.1)

        async def every():
            end = time.monotonic() + times(3, 120)
            await asyncio.gather(looks(end), *(client(end) for _ in range(times(60, 200))))

        run(every())
        assert set(seen) <= {200, 429, 503, 504}
        assert seen[429] > 0 and seen[200] > 0
        assert all(refused)
        assert max(longest) <= limits.waiting
        assert set(alive) == {200}
        assert served.predict(rows[0]).status == 200
        # The server's own time: what a client waits beyond it, it waits for the loop that it shares with all the others.
        assert np.quantile(clock.seconds, 0.99) <= limits.deadline + 0.5


SLOW = {
    "nothing": [],
    "a line that does not end": [b"POST /pre"],
    "a head that does not end": [b"POST /predict HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\n"],
    "a body that does not come": [b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"],
    "a chunk that does not end": [b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"],
}  # fmt: skip
BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "a length that is none": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
    "a negative length": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
    "both length and chunks": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a huge head": b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000,
    "a chunk that is no number": b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "a version that there is not": b"GET / HTTP/9.9\r\n\r\n",
    "a NUL in the address": b"GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "bytes at random": bytes(range(256)) * 4,
}


def test_slow_clients_are_let_go_and_others_do_not_feel_them(late_bundle, rows, times):
    """D3: slow heads, slow bodies, idle connections, reading too slowly."""
    patience = times(1.0, 5.0)
    with running({"late": late_bundle}, Limits(patience=patience, linger=0.05)) as served:

        async def slow(pieces):
            one = await Client.open(served.port)
            for piece in pieces:
                one.writer.write(piece)
            return await seconds_until_closed(one.reader, 4 * patience + 6)

        async def trickle():
            one = await Client.open(served.port)
            start = time.monotonic()
            try:
                for letter in b"POST /predict HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 20_000:
                    one.writer.write(bytes([letter]))
                    await one.writer.drain()
                    await asyncio.sleep(0.05)
                    if one.reader.at_eof():
                        break
            except ConnectionError:
                pass
            return time.monotonic() - start

        async def unread():
            one = await Client.open(served.port)
            one.writer.transport.pause_reading()
            one.writer.write(request({"rows": rows[:60]}) * 1_500)
            await asyncio.sleep(patience + 3)
            return one

        async def usual():
            took = []
            one = await Client.open(served.port)
            for _ in range(30):
                start = time.monotonic()
                status, _, _ = await one.ask(request({"rows": rows[:1]}))
                took.append(time.monotonic() - start)
                assert status == 200
                await asyncio.sleep(0.05)
            return took

        async def every():
            idle = [slow([]) for _ in range(times(100, 2_000))]
            return await asyncio.gather(usual(), trickle(), unread(), *idle, *map(slow, SLOW.values()))

        took, trickled, _, *closed = run(every())
        assert max(closed) < 2 * patience + 3
        assert trickled < 2 * patience + 3
        assert np.median(took) < 2.0
        assert len(served.server.server_state.connections) <= 2


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_http_is_refused_in_json_or_closed(late, content):
    """D3."""

    async def ask():
        one = await Client.open(late.port)
        one.writer.write(content)
        try:
            return await asyncio.wait_for(one.answer(), 5)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    found = run(ask())
    if found is not None:
        status, _, body = found
        assert 400 <= status < 500
        assert json.loads(body)["error"]
    assert late.get("/health/live").status == 200


def test_pipelined_requests_and_bytes_one_by_one_are_answered(late, rows):
    """D3."""

    async def ask():
        one = await Client.open(late.port)
        keys = [f"key-{place}" for place in range(40)]
        one.writer.write(b"".join(request({"rows": [rows[0]]}, "/predict", f"x-request-id: {key}") for key in keys))
        heard = [json.loads((await one.answer())[2])["request"] for _ in keys]
        assert heard == keys
        body = json.dumps({"rows": [rows[0]]}).encode()
        head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        one.writer.write(head.encode() + b"".join(b"1\r\n" + bytes([each]) + b"\r\n" for each in body) + b"0\r\n\r\n")
        assert (await one.answer())[0] == 200
        endless = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        one.writer.write(endless + (b"10000\r\n" + b"[" * 65_536 + b"\r\n") * 300 + b"0\r\n\r\n")
        assert (await one.answer())[0] == 413

    run(ask())


def test_a_server_that_is_stopped_answers_all_that_it_accepted(late_bundle, rows, times, chance, tmp_path):
    """D8: SIGTERM with requests in flight, at random moments."""
    body = request({"rows": rows[:10]})
    for _ in range(times(2, 50)):
        with started(late_bundle, tmp_path) as (process, port):
            answers = run(stopped_while_asked(process, port, body, chance.random() * 0.1))
            assert answers.pop("ready") == 503
            assert (
                set(answers) <= {200, 429} and sum(answers.values()) == 200 and answers[200] > 0
            )  # refused is not lost
            assert process.wait(30) == 0


async def stopped_while_asked(process, port, body, seconds):
    """Send 200 requests and a little later SIGTERM; return the answers, and what readiness said then."""
    answers, asked = Counter(), []

    async def client():
        one = await Client.open(port)
        one.writer.write(body)
        asked.append(one)
        status, _, _ = await one.answer()
        answers[status] += 1

    tasks = [asyncio.ensure_future(client()) for _ in range(200)]
    while len(asked) < 200:
        await asyncio.sleep(0.001)
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.15)
    ready = await Client.open(port)
    status, _, _ = await ready.ask(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await asyncio.gather(*tasks)
    return {**answers, "ready": status}


@contextlib.contextmanager
def started(bundle, folder, *more, program=("-m", "fathom")):
    """Run a server in a process of its own; gives the process and its port."""
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "serve", str(bundle), "--port", "0", "--log", "events", *more],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            port = int(process.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
            run(
                once(port, b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
            )  # waits in the queue of the socket
            yield process, port
        finally:
            process.kill()


async def once(port, content):
    """Ask once."""
    one = await Client.open(port)
    try:
        return await one.ask(content)
    finally:
        one.close()


def test_no_request_fails_while_versions_change(two_bundles, tmp_path, times):
    """D9: each answer is wholly of one version; bad bundles are refused while the old one goes on."""
    shelf = make_shelf(tmp_path / "shelf", two_bundles[0], who="test")
    first, second = shelf.state().live, shelf.add(two_bundles[1], who="test")
    says = {first: "A", second: "B"}
    swaps = times(20, 200)
    wrong, counts, done = [], Counter(), threading.Event()
    with running({"says": shelf.path}) as served:
        hosted = served.host.models["says"]

        async def client():
            one = await Client.open(served.port)
            while not done.is_set():
                status, _, body = await one.ask(request({"rows": [{"x": 2}, {"x": 5}]}))
                counts[status] += 1
                found = json.loads(body)
                if status != 200 or {row["says"] for row in found["answers"]} != {says[found["version"]]}:
                    wrong.append(found)
            one.close()

        async def every():
            await asyncio.gather(*(client() for _ in range(8)))

        thread = threading.Thread(target=lambda: run(every()))
        thread.start()
        for swap in range(swaps):
            shelf.promote(second if swap % 2 == 0 else first, who="test")
            if swap % 20 == 10:  # a bundle that is damaged on its way
                graph = shelf.folder(shelf.state().live) / "baseline.onnx"
                good = graph.read_bytes()
                graph.write_bytes(good[:-1])
                before = hosted.live.version
                served.host.follow(hosted)
                assert hosted.live.version == before
                assert hosted.refused
                graph.write_bytes(good)
                hosted.refused.clear()
            served.host.follow(hosted)
            assert hosted.live.version == shelf.state().live
            time.sleep(0.01)
        done.set()
        thread.join(30)
    assert not wrong
    assert set(counts) == {200}


def test_one_poisoned_row_changes_no_other_answer(late, rows, late_network, flights, times, chance):
    """D11: 64 requests at once, one of them poisoned."""
    poisons = ({"distance_miles": "x"}, {"distance_miles": 10**400}, {"departure": "soon"}, {"holiday": [1]}, {"airline": "\x00" * 500}, {"distance_miles": 1e308}, {"origin": None})  # fmt: skip
    expected = [late.predict(row).json()["answers"][0] for row in rows[:64]]

    async def every():
        clients, answered = [await Client.open(late.port) for _ in range(64)], 0
        for _ in range(times(25, 1_000)):
            bad = chance.randrange(64)
            asked = [{**row, **(chance.choice(poisons) if place == bad else {})} for place, row in enumerate(rows[:64])]
            found = await asyncio.gather(
                *(one.ask(request({"rows": [row]})) for one, row in zip(clients, asked, strict=True))
            )
            for place, (status, _, body) in enumerate(found):
                if place != bad and status != 429:
                    assert status == 200
                    answered += 1
                    assert alike(json.loads(body)["answers"][0], expected[place])
                else:
                    assert status in (200, 422, 429)
        for one in clients:
            one.close()
        return answered

    assert run(every()) > 0.9 * 63 * times(25, 1_000)


WATCHED: list[tuple[str, str]] = []
WATCHING = threading.Event()


def hook(event, arguments):
    """Note what a server must never do because of a request."""
    if not WATCHING.is_set() or event not in (
        "open",
        "socket.connect",
        "subprocess.Popen",
        "os.system",
        "exec",
        "compile",
    ):
        return
    name = threading.current_thread().name
    if name.startswith(("answers", "others", "server")):
        WATCHED.append((event, str(arguments[0])[:200]))


def test_no_string_opens_a_file_or_a_connection_and_no_refusal_tells_of_the_machine(late, rows):
    """D12: every text of a row as an address, a path, a command."""
    sys.addaudithook(hook)
    strings = (
        "http://127.0.0.1:1/x", "file:///etc/passwd", "/etc/passwd", "../../etc/passwd", "\\\\host\\share", "data:text/plain,hello", "data:,",
        "$(id)", "`id`", "{{7*7}}", "${jndi:ldap://127.0.0.1/a}", "'; DROP TABLE rows; --", "<script>alert(1)</script>", "\x00", "\ufeff", "\u202e",
        "%00", "%s%s%n", "A" * 10_000, "None", "undefined", "__import__('os')", "🧨", "=cmd|' /C calc'!A0", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
    )  # fmt: skip
    late.thread.name = "server"
    WATCHED.clear()
    said = []
    WATCHING.set()
    try:
        for text in strings:
            for name in ("airline", "departure", "holiday", "origin", "distance_miles"):
                said.append(late.predict({**rows[0], name: text}))
            said.append(late.post("/predict", {"rows": [{text: 1}]}))
            said.append(late.post("/predict", {text: 1}))
            said.append(late.post("/v2/models/late/infer", {"inputs": [{"name": text}], "id": text}))
            said.append(late.get("/predict?explain=" + "".join(f"%{byte:02x}" for byte in text.encode()[:200])))
    finally:
        WATCHING.clear()
    opened = [each for each in WATCHED if not each[1].endswith((".py", ".pyc")) and each[0] != "compile"]
    assert not opened, opened
    home = str(ROOT)
    for answer in said:
        assert answer.status in (200, 400, 404, 405, 422), answer
        words = answer.body.decode()
        assert home not in words
        assert "Traceback" not in words
        assert "site-packages" not in words
        assert os.environ.get("PATH", "none") not in words
    assert not [line for line in late.log if line.get("event") == "mistake"]


def test_who_leaves_before_the_answer_is_not_worked_for_and_nothing_is_left_behind(late_bundle, rows, times):
    """D15."""
    with running({"late": late_bundle}, Limits(linger=0.05)) as served:
        batcher = served.host.models["late"].live.batcher
        quick, free = batcher.run, threading.Event()

        def held(arrays):
            free.wait(10)
            return quick(arrays)

        batcher.run, batcher.most_rows = held, 1  # what runs already is not broken off
        batcher.seconds_a_row = 0.003  # on a thread, so that the loop goes on

        async def every():
            first = asyncio.ensure_future(once(served.port, request({"rows": rows[:1]})))
            await asyncio.sleep(0.1)
            leaving = [await Client.open(served.port) for _ in range(times(100, 1_000))]
            for place, one in enumerate(leaving):
                one.writer.write(
                    request({"rows": rows[place % 50 : place % 50 + 1]}, "/predict", "deadline-seconds: 8")
                )
            await asyncio.sleep(0.3)
            for place, one in enumerate(leaving):
                one.reset() if place % 2 else one.close()
            await asyncio.sleep(0.3)
            free.set()
            status, _, _ = await first
            late_one = await once(served.port, request({"rows": rows[:1]}, "/predict", "deadline-seconds: 0.000001"))
            return status, late_one[0]

        status, late_status = run(every())
        assert status == 200
        assert late_status in (429, 504)
        end = time.monotonic() + 5
        while time.monotonic() < end and (served.host.active or not batcher.idle):
            time.sleep(0.02)
        assert served.host.active == 0
        assert batcher.idle
        served.get("/metrics")
        left = served.host.metrics.told("left", "late")
        assert left >= times(90, 900)
        assert served.predict(rows[0]).status == 200
