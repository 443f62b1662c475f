"""The server: addresses put together, started, and stopped without losing a request."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fathom.errors import OptionError
from fathom.service.host.hosting import Host
from fathom.service.refusing import Refused, refusal
from fathom.service.web import administering, describing, health, open_inference, pages, predicting
from fathom.service.web.access import Access
from fathom.service.web.connections import Connection, watch
from fathom.service.web.contract import Pages
from fathom.service.web.entrance import Entrance

# Everything that answers at an address; `application` lets what is asked most, /predict and infer, pass by the router.
PAGES: tuple[Pages, ...] = (health, predicting, describing, open_inference, administering, pages)
BACKLOG = 2_048  # connections that wait to be accepted
LAST_TICKS = 5  # turns of the loop before the server stops: on a busy machine the time to linger may pass in one, in which nobody who knocked is let in


def application(host: Host, access: Access | None = None, pages: Sequence[Pages] = PAGES) -> Entrance:
    """Return the ASGI application of a host."""
    direct = {**predicting.endpoints(host), **open_inference.endpoints(host)}
    inner = Starlette(
        routes=[route for page in pages for route in page.routes(host)],
        exception_handlers={Refused: _refused, HTTPException: _unknown, Exception: _mistake(host)},
    )
    inner.router.redirect_slashes = False
    return Entrance(host, access or Access(), direct, inner)


async def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    reply = refusal(refused, request.scope["fathom.visit"].request)
    return Response(reply.content, reply.status, dict(reply.headers), reply.kind)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    takes = (error.headers or {}).get("Allow", "").replace(", HEAD", "")
    words = {
        404: "There is nothing at this address. Those that there are stand in /openapi.json, and the protocol under /v2.",
        405: f"This address does not take {request.method}, but {takes}.",
    }
    refused = Refused(error.status_code, words.get(error.status_code, str(error.detail)))
    reply = refusal(refused, request.scope["fathom.visit"].request)
    return Response(reply.content, reply.status, {**(error.headers or {})}, reply.kind)


def _mistake(host: Host) -> Callable[[Request, Exception], Any]:
    async def told(request: Request, error: Exception) -> Response:
        reply = refusal(
            Refused(500, "The server made a mistake. Its log says more."), request.scope["fathom.visit"].request
        )
        return Response(reply.content, reply.status, media_type=reply.kind)

    return told


class Words(logging.Handler):
    """What uvicorn says of connections, in the server's own log."""

    def __init__(self, host: Host) -> None:
        super().__init__(logging.WARNING)
        self.host = host

    def emit(self, record: logging.LogRecord) -> None:
        """Write down one sentence; a mistake by its kind alone."""
        said = type(record.exc_info[1]).__name__ if record.exc_info else record.getMessage()[:200]
        self.host.log.event("connection", said=said)


class Server(uvicorn.Server):
    """uvicorn's server, which says that it is not ready before it stops, and ends with 0."""

    def __init__(self, config: uvicorn.Config, host: Host) -> None:
        super().__init__(config)
        self.host = host
        self.asked = 0

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT while the server runs; uvicorn would raise them again at the end."""
        before = {}
        with contextlib.suppress(ValueError):  # not in the main thread: whoever runs the thread stops the server
            before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop, or stop at once when asked again."""
        self.stop()

    def stop(self) -> None:
        """Begin to stop: not ready from now on, accepted requests are answered. Asked a second time, stop at once."""
        self.asked += 1
        self.host.draining = True
        if self.asked > 1:
            self.force_exit = self.should_exit = True

    async def main_loop(self) -> None:
        """Run until asked to stop, then until what was asked is answered."""
        keep = asyncio.ensure_future(self.host.keep())
        look = asyncio.ensure_future(watch(self.server_state.connections, self.host.limits.patience))
        write = asyncio.ensure_future(_write(self.host))
        begun, ticks = 0.0, 0
        while not self.should_exit:
            await self.on_tick(int(time.monotonic() * 10))
            now = time.monotonic()
            if self.asked and not begun:
                begun = now
                self.host.log.event("stopping", active=self.host.active)
            ticks += bool(begun)
            if ticks >= LAST_TICKS and now - begun >= self.host.limits.linger:
                break
            await asyncio.sleep(0.02 if begun else 0.1)
        self.should_exit = True
        for task in (keep, look, write):
            task.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and let what is still open end."""
        await super().shutdown(sockets)
        await asyncio.get_running_loop().run_in_executor(self.host.others, self.host.tell)
        self.host.log.event("stopped")
        self.host.log.flush()


async def _write(host: Host) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0.25)
        health.update(host)
        if host.log.lines:
            await loop.run_in_executor(host.others, host.log.flush)


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises OptionError when the address cannot be had."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
        return listening
    except (OSError, OverflowError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OptionError(
            f"Port {port} of {address} cannot be listened on: {reason}. Choose another with --port, or stop what listens there."
        ) from None


def server(host: Host, access: Access | None = None, pages: Sequence[Pages] = PAGES) -> Server:
    """Return a server that `Server.run` starts on sockets."""
    config = uvicorn.Config(
        application(host, access, pages),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(host.limits.patience)),
        timeout_graceful_shutdown=max(1, int(host.limits.grace)),
        backlog=BACKLOG,
    )
    spoken = logging.getLogger("uvicorn")
    spoken.handlers, spoken.propagate = [Words(host)], False
    return Server(config, host)
