"""Where every request comes in: an id, who may enter, the answer or the refusal, and what is written down of it."""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from fathom.errors import FathomError
from fathom.service.host.hosting import Host
from fathom.service.refusing import Limits, Refused, Reply, refusal
from fathom.service.web.access import Access

Given = ParamSpec("Given")
Found = TypeVar("Found")
_REQUEST = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECONDS = re.compile(rb"\d{1,6}(?:\.\d{1,6})?")


@dataclass(slots=True)
class Visit:
    """One request while it is answered; who answers fills in ``model``, ``version`` and ``rows`` for the books."""

    request: str
    started: float
    headers: Mapping[bytes, bytes]
    query: bytes
    receive: Callable[[], Awaitable[Any]]
    gone: Callable[[], bool]
    model: str | None = None
    version: str = ""
    rows: int = 0

    def deadline(self, limits: Limits) -> float:
        """Return when the answer must be there, on the clock of `time.monotonic`: the server's own limit, or the header ``Deadline-Seconds`` if that is less."""
        told = self.headers.get(b"deadline-seconds")
        if told is None:
            return self.started + limits.deadline
        if not _SECONDS.fullmatch(told):
            raise Refused(400, "the header must be a number of seconds, such as 0.5.", "Deadline-Seconds")
        return self.started + min(float(told), limits.deadline)

    async def aside(
        self, threads: Executor, function: Callable[Given, Found], *given: Given.args, **named: Given.kwargs
    ) -> Found:
        """Do on a thread what takes long."""
        return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *given, **named))


Endpoint = Callable[[Visit], Awaitable[Reply]]


class Entrance:
    """An ASGI application around another: ``direct`` addresses are answered by functions of a `Visit`, all else by ``inner``."""

    def __init__(self, host: Host, access: Access, direct: Mapping[str, Endpoint], inner: Any) -> None:
        self.host = host
        self.access = access
        self.direct = direct
        self.inner = inner
        self._numbers = itertools.count(1)
        self._process = os.urandom(4).hex()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        told = headers.get(b"x-request-id", b"")
        request = told.decode() if _REQUEST.fullmatch(told) else f"{self._process}-{next(self._numbers)}"
        gone = scope.get("state", {}).get("fathom.gone", _never)
        receive, send = _while_there(receive, send, gone)
        visit = Visit(request, time.monotonic(), headers, scope["query_string"], receive, gone)
        self.host.active += 1
        status = 500
        try:
            status = await self._answer(visit, scope, receive, send)
        finally:
            self.host.active -= 1
            seconds = time.monotonic() - visit.started
            self.host.metrics.answered(visit.model, status, seconds)
            self.host.log.request(
                request=request,
                method=scope["method"],
                path=scope["path"][:200],
                status=status,
                milliseconds=round(seconds * 1e3, 3),
                **({"model": visit.model, "version": visit.version, "rows": visit.rows} if visit.model else {}),
            )

    async def _answer(self, visit: Visit, scope: Any, receive: Any, send: Any) -> int:
        try:
            self.access.check(scope["path"], visit.headers)
            endpoint = self.direct.get(scope["path"]) if scope["method"] == "POST" else None
            if endpoint is None:
                return await self._inside(visit, scope, receive, send)
            reply = await endpoint(visit)
        except Refused as refused:
            reply = refusal(refused, visit.request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # our mistake: the client hears that there was one, the log which
            self.failed(error, visit)
            reply = refusal(Refused(500, "The server made a mistake. Its log says more."), visit.request)
        await self._send(reply, visit.request, send)
        return reply.status

    def failed(self, error: Exception, visit: Visit) -> None:
        """Write down a mistake of our own."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
        words = "" if isinstance(error, FathomError) else f": {error}"
        self.host.log.event("mistake", request=visit.request, error=f"{type(error).__name__}{words}"[:300], where=where)

    async def _inside(self, visit: Visit, scope: Any, receive: Any, send: Any) -> int:
        """Let the pages answer."""
        status = 500
        scope["fathom.visit"] = visit

        async def noted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", visit.request.encode())]
                if self.host.draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        await self.inner(scope, receive, noted)
        return status

    async def _send(self, reply: Reply, request: str, send: Any) -> None:
        headers = [
            (b"content-type", reply.kind.encode("latin-1")),
            (b"content-length", str(len(reply.content)).encode()),
            (b"x-request-id", request.encode()),
            *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
        ]
        if self.host.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.content})


def _while_there(receive: Any, send: Any, gone: Callable[[], bool]) -> tuple[Any, Any]:
    """Return a connection's two ends, which no longer touch it once its client has left: a closed one raises what would pass for a mistake of ours."""

    async def heard() -> Any:
        return {"type": "http.disconnect"} if gone() else await receive()

    async def said(message: Any) -> None:
        if not gone():
            await send(message)

    return heard, said


def _never() -> bool:
    return False
