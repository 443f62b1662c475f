"""D14: a server that is asked for long, by clients of every kind, some of which crash, takes no more memory and keeps nothing open."""

import asyncio
import json
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.reliability.test_server import once, started
from tests.service.clients import Client, request, run

PAGE = os.sysconf("SC_PAGESIZE")
SETTLED = 1 / 3  # of the time, after which memory is looked at
MOST_SLOPE = 1.0  # MiB an hour, of a whole run
MOST_OPENED = 8  # files that a server opens once: the store's three, and a pipe by which threads wake each other
MOST_GROWTH = 64.0  # MiB, of a short one, which is mostly warming up


def state_of(process):
    """Return the MiB of memory that a process has in use, and how many files and connections it has open."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * PAGE / 2**20, len(list(Path(f"/proc/{process}/fd").iterdir()))


def arrow_of(rows):
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def typed(kind, body, path="/predict"):
    return request(body, path).replace(b"application/json", kind.encode(), 1)


def test_a_server_that_is_asked_for_long_takes_no_more(late_bundle, rows, tmp_path, times, chance):
    seconds = times(6.0, 1_800.0)
    clients = times(6, 8)
    counts, took, seen = Counter(), [], []
    csv = ",".join(rows[0]) + "\n" + ",".join("" if cell is None else str(cell) for cell in rows[0].values()) + "\n"
    arrow = arrow_of(rows[:200])
    store = tmp_path / "store.sqlite"

    def sound():
        """Return a request that is answered with 200."""
        few = [chance.choice(rows) for _ in range(chance.choice((1, 1, 1, 2, 30)))]
        kinds = (
            request({"rows": few}), request({"rows": few}), request({"rows": few[:2], "doubt": True}), typed("text/csv", csv.encode()),
            typed("application/vnd.apache.arrow.stream", arrow), b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", b"GET /page/models HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )  # fmt: skip
        return chance.choice(kinds)

    async def usual(port):
        one = await Client.open(port)
        for _ in range(chance.randrange(1, 20)):
            start = time.monotonic()
            status, _, _ = await one.ask(sound())
            took.append(time.monotonic() - start)
            counts[status] += 1
            await asyncio.sleep(0.02)
        one.close()

    async def wrong(port):
        one = await Client.open(port)
        bad = chance.choice((b"{", b"[" * 3_000, b'{"rows": [{"x": 1}]}', b'{"rows": 3}', json.dumps({"rows": rows[:1] * 11_000}).encode()))  # fmt: skip
        status, _, _ = await one.ask(request(bad))
        counts[status] += 1
        one.close()

    async def hurried(port):
        status, _, _ = await once(port, request({"rows": rows[:3]}, "/predict", "deadline-seconds: 0.00001"))
        counts[status] += 1

    async def crashing(port):
        """Leave at any moment: in the middle of a request, before the answer, in the middle of it."""
        one = await Client.open(port)
        content = sound()
        one.writer.write(content[: chance.randrange(len(content))] if chance.random() < 0.5 else content * 3)
        await asyncio.sleep(chance.random() * 0.03)
        one.reset()
        counts["crashed"] += 1

    async def every(process, port):
        begun = time.monotonic()

        async def client():
            while time.monotonic() - begun < seconds:
                await chance.choices((usual, wrong, hurried, crashing), (5, 2, 1, 4))[0](port)

        async def looks():
            while time.monotonic() - begun < seconds:
                await asyncio.sleep(seconds / 60)
                seen.append((time.monotonic() - begun, *state_of(process.pid)))

        await asyncio.gather(looks(), *(client() for _ in range(clients)))
        await asyncio.sleep(1.5)
        seen.append((time.monotonic() - begun, *state_of(process.pid)))

    # The store keeps few rows, so that it has its full size soon.
    more = ("--record", str(store), "--record-rows", "2000", "--patience", "20")
    with started(late_bundle, tmp_path, *more) as (process, port):
        open_before = state_of(process.pid)[1]
        run(every(process, port))
        assert run(once(port, request({"rows": rows[:1]})))[0] == 200
        process.terminate()
        assert process.wait(60) == 0
    when, memory, opened = np.array(seen).T
    later = when > SETTLED * seconds
    slope = np.polyfit(when[later] / 3_600, memory[later], 1)[0]
    first, last = (np.quantile(part, 0.99) for part in (took[: len(took) // 3], took[-len(took) // 3 :]))
    print(
        f"{dict(counts)}; memory {memory[later][0]:.1f} to {memory[-1]:.1f} MiB, {slope:.2f} MiB an hour; "
        f"open files {open_before} to {opened[-1]:.0f}, most {opened.max():.0f}; p99 {1e3 * first:.0f} to {1e3 * last:.0f} ms"
    )
    assert set(counts) <= {200, 400, 413, 422, 429, 504, "crashed"}
    assert counts[200] > counts["crashed"] > 10
    assert opened[-1] <= open_before + MOST_OPENED
    assert slope < MOST_SLOPE if seconds > 60 else memory[-1] - memory[later][0] < MOST_GROWTH
    assert "mistake" not in (tmp_path / "log.txt").read_text()
