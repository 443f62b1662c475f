"""A server in a thread of the tests, and clients of it."""

import contextlib
import http.client
import io
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fathom.service.host.hosting import Host
from fathom.service.host.logs import Log
from fathom.service.host.monitoring import attach
from fathom.service.records.recording import Recording
from fathom.service.refusing import Limits
from fathom.service.web.access import Access
from fathom.service.web.serving import listen, server

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A server that listens, and its host."""

    host: Host
    port: int
    server: Any
    thread: threading.Thread

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = JSON) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            found = connection.getresponse()
            return Answer(found.status, found.read(), {name.lower(): value for name, value in found.getheaders()})
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, None, headers or {})

    def post(self, path: str, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, {**JSON, **(headers or {})})

    def predict(self, *rows: Mapping[str, Any], **more: Any) -> Answer:
        return self.post("/predict", {"rows": list(rows), **more})

    @property
    def log(self) -> list[dict[str, Any]]:
        self.host.log.flush()
        stream = self.host.log.stream
        assert isinstance(stream, io.StringIO)
        return [json.loads(line) for line in stream.getvalue().splitlines()]


@contextlib.contextmanager
def running(
    sources: Mapping[str, Path],
    limits: Limits | None = None,
    access: Access | None = None,
    observers: Any = (),
    recording: Recording | None = None,
) -> Iterator[Running]:
    """Serve until the end of the ``with``; with ``recording``, requests are recorded and watched."""
    host = Host(sources, limits or Limits(linger=0.05), observers, threads=2, log=Log("all", io.StringIO()))
    monitor = attach(host, recording) if recording is not None else None
    listening = listen("127.0.0.1", 0)
    serving = server(host, access)
    thread = threading.Thread(target=serving.run, args=([listening],), daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not serving.started and time.monotonic() < end:
        time.sleep(0.005)
    try:
        yield Running(host, listening.getsockname()[1], serving, thread)
    finally:
        serving.stop()
        thread.join(30)
        if monitor is not None:
            monitor.close()
        assert not thread.is_alive()
