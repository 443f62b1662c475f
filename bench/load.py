"""Many clients of one server, from one process: each sends its next request when its last one is answered, and every answer is checked for its status.

::

    python -m bench.load --port 8000 --path /predict --requests bodies.jsonl --clients 64 --seconds 10

Bodies are sent as they stand, a line each, in turn. Prints one JSON object: answers by status, a second and their times.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

SPEED_UP = 1.0  # seconds at the start that do not count


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: "Load", number: int) -> None:
        self.load = load
        self.place = number
        self.waiting = b""

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send the next request."""
        if time.perf_counter() >= self.load.end:
            self.transport.close()
            return
        self.place = (self.place + self.load.clients) % len(self.load.requests)
        self.start = time.perf_counter()
        self.transport.write(self.load.requests[self.place])

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self.waiting = self.waiting + data if self.waiting else data
        head = self.waiting.find(b"\r\n\r\n")
        if head < 0:
            return
        lower = self.waiting[:head].lower()
        place = lower.find(b"content-length:")
        size = int(lower[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self.waiting) < head + 4 + size:
            return
        status = int(self.waiting[9:12])
        self.waiting = b""
        self.load.answered(status, time.perf_counter(), self.start)
        if status in (429, 503) and self.load.pause:
            asyncio.get_running_loop().call_later(self.load.pause, self.ask)
        elif b"connection: close" not in lower:
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Count a connection that ended too early."""
        if time.perf_counter() < self.load.end:
            self.load.counts["lost"] += 1
        self.load.open -= 1


class Load:
    """What all clients share."""

    def __init__(self, requests: list[bytes], clients: int, seconds: float, pause: float) -> None:
        self.requests, self.clients, self.pause = requests, clients, pause
        self.begin = time.perf_counter() + SPEED_UP
        self.end = self.begin + seconds
        self.counts: Counter[str] = Counter()
        self.times: list[float] = []
        self.open = clients
        self.sent = 0

    def answered(self, status: int, now: float, start: float) -> None:
        """Count an answer."""
        self.sent += 1
        if self.begin <= now <= self.end:
            self.counts[str(status)] += 1
            if status == 200:
                self.times.append(now - start)


async def run(port: int, requests: list[bytes], clients: int, seconds: float, pause: float = 0.0) -> dict[str, Any]:
    """Return what the clients saw."""
    load = Load(requests, clients, seconds, pause)
    loop = asyncio.get_running_loop()
    for number in range(clients):
        await loop.create_connection(lambda number=number: Client(load, number), "127.0.0.1", port)
    while load.open > 0 and time.perf_counter() < load.end + 15:
        await asyncio.sleep(0.05)
    times = np.array(load.times) * 1e3
    quantiles = np.quantile(times, (0.5, 0.99)) if len(times) else (float("nan"),) * 2
    return {
        "answers": dict(load.counts),
        "sent": load.sent,
        "per_second": load.counts["200"] / seconds,
        "median_ms": round(float(quantiles[0]), 3),
        "p99_ms": round(float(quantiles[1]), 3),
        "longest_ms": round(float(times.max(initial=0)), 3),
    }


def requests_of(path: str, bodies: list[bytes]) -> list[bytes]:
    """Return whole requests."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a client waits after a 429 or 503")
    given = parser.parse_args()
    requests = requests_of(given.path, given.requests.read_bytes().splitlines())
    try:
        import uvloop

        started = uvloop.run
    except ImportError:
        started = asyncio.run
    print(json.dumps(started(run(given.port, requests, given.clients, given.seconds, given.pause))))


if __name__ == "__main__":
    main()
