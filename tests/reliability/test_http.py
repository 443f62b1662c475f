"""D7: whatever comes over a connection, the server lives, makes no mistake, and lets go of nobody without an answer in time."""

import asyncio
import json
import time
from collections import Counter

from fathom.service.records.recording import Recording
from fathom.service.refusing import Limits
from fathom.service.shelf.versions import make_shelf
from fathom.service.web.access import Access
from tests.reliability.requests_at_random import ADDRESSES, METHODS, at_random
from tests.service.clients import Client, run
from tests.service.running import running

TOKEN = "t" * 32
AT_ONCE = 32
PATIENCE = 1.0  # seconds for a request that never comes whole


async def asked(port, sent):
    """Send a request; return the status and the body of its answer, or ``None`` when the server closed the connection without one."""
    one = await Client.open(port)
    try:
        one.writer.write(sent.content)
        head = (await one.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if head.startswith("HTTP/1.1 100"):
            head = (await one.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            length = int(value) if name.lower() == "content-length" else length
        body = b"" if head.split(" ")[1] in ("204", "304") else await _body(one.reader, length)
        return int(head.split(" ")[1]), body
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        one.reset()


async def _body(reader, length):
    """Read a body; that of an answer to HEAD never comes, and one to a spoiled method may be either."""
    try:
        async with asyncio.timeout(0.2):
            return await reader.readexactly(length)
    except (TimeoutError, asyncio.IncompleteReadError):
        return b""


def test_requests_at_random_are_answered_or_refused(late_bundle, two_bundles, tmp_path, times, chance):
    """D7: 20 addresses, 8 methods, spoiled addresses, lines and bodies."""
    shelf = make_shelf(tmp_path / "shelf", two_bundles[0], who="test")
    shelf.add(two_bundles[1], who="test")
    counts, wrong = Counter(), []
    every = [(method, address) for address in ADDRESSES for method in (*METHODS, "GET", "POST", "POST")] * times(2, 200)
    limits = Limits(patience=PATIENCE, linger=0.05)
    recording = Recording(str(tmp_path / "store.sqlite"))
    sources = {"says": shelf.path, "late": late_bundle}
    with running(sources, limits, Access.of((), (TOKEN,)), recording=recording) as served:

        async def client(waiting):
            while waiting:
                method, address = waiting.pop()
                sent = at_random(method, address, chance, TOKEN)
                start = time.monotonic()
                answer = await asked(served.port, sent)
                counts[answer and answer[0]] += 1
                if time.monotonic() - start > PATIENCE + 8:
                    wrong.append(("late", sent.content))
                if answer is None:
                    continue
                status, body = answer
                if status >= 500 and not (status == 504 and sent.deadline):
                    wrong.append((status, sent.content))
                if status >= 400 and body and not json.loads(body)["error"]:
                    wrong.append((body, sent.content))

        async def clients():
            waiting = every[::-1]
            await asyncio.gather(*(client(waiting) for _ in range(AT_ONCE)))

        run(clients())
        print(dict(counts))
        assert not wrong, wrong[:3]
        assert not [line for line in served.log if line.get("event") in ("mistake", "unnoted")]
        assert served.get("/health/live").status == 200
        assert served.post("/predict/says", {"rows": [{"x": 3}]}).status == 200
        assert 'status="500"' not in served.get("/metrics").body.decode()
    assert counts[200] > 0.1 * len(every)  # much of it is sound
    assert counts[None] < 0.3 * len(every)
