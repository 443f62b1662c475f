"""What the tests of a service share: answered requests, and a server on a thread."""

import threading
import time
from contextlib import contextmanager

from fathom.bundle import manifest
from fathom.data.table import Table
from fathom.service.contract import Answered


def answered(model, rows: Table, *, first: int = 0, each: int = 10, shadow: bool = False, when: float | None = None):
    """Let a model answer rows, so many a request, and say so as a server would; requests are named r0, r10, …"""
    inputs = rows.select([name for name in rows.names if name != "late"])
    answers = model.predict(inputs)
    version = manifest.version(model.files)
    for start in range(0, rows.rows, each):
        places = list(range(start, min(start + each, rows.rows)))
        yield Answered(
            f"r{first + start}",
            "late",
            version,
            inputs.take(places),
            answers.take(places),
            time.time() if when is None else when,
            0.002,
            shadow,
        )


@contextmanager
def serving(sources, recording=None, access=None):
    """Serve models on a free port of this machine; yields the address and the host."""
    from fathom.service.host.hosting import Host
    from fathom.service.host.logs import Log
    from fathom.service.host.monitoring import attach
    from fathom.service.web.serving import listen, server

    host = Host(sources, threads=1, log=Log("off"))
    monitor = attach(host, recording) if recording is not None else None
    listening = listen("127.0.0.1", 0)
    running = server(host, access)
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        while not running.started:
            time.sleep(0.01)
        yield address, host
    finally:
        running.stop()
        thread.join(10)
        if monitor is not None:
            monitor.close()
