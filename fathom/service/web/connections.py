"""Connections that cost nobody else anything: clients that are slow, broken or gone are let go, and a refusal by the parser is JSON, too.

uvicorn waits without end for a request that never comes whole, and for a client that never reads; here a look once a second ends both. `fathom.gone` in the scope's state says, for the price of
an attribute, whether the client has left.
"""

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fathom.service.refusing import Refused, refusal

MOST_DISCARDED = 64 << 20  # bytes of a refused body that are read and thrown away, so that the client hears why
LONGEST_HEAD = 64 << 10  # bytes of the lines before a body


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which knows since when it waits for its client."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.since: float | None = time.monotonic()
        self.unread = 0  # bytes that the client has not taken, at the last look
        self.unread_since = 0.0
        self.discarded = 0
        self.head = 0  # bytes of a head that is not whole yet
        self.in_head = False

    def data_received(self, data: bytes) -> None:
        """Take bytes; lines before a body have a limit."""
        super().data_received(data)
        if self.in_head:  # still, after all of these bytes
            self.head += len(data)
            if self.head > LONGEST_HEAD:
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin to wait for the request's end."""
        super().on_message_begin()
        self.since = time.monotonic()
        self.in_head, self.head = True, 0

    def on_headers_complete(self) -> None:
        """Hand the request on, with what says whether its client has left."""
        self.in_head = False
        scope = self.scope
        super().on_headers_complete()  # which only promises to answer, so that the scope may still be added to
        cycle, transport = self.cycle, self.transport

        def gone() -> bool:
            if transport.is_closing():
                cycle.disconnected = True  # uvicorn hears of it a moment later, and would try to write
            return bool(cycle.disconnected)

        scope["state"]["fathom.gone"] = gone  # where ASGI has room for what belongs to one request

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body; what comes after a refusal is thrown away, up to a limit."""
        if self.cycle.response_complete:
            self.discarded += len(body)
            if self.discarded > MOST_DISCARDED:
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting: the request is here whole."""
        super().on_message_complete()
        self.since = None
        self.discarded = 0

    def _unsupported_upgrade_warning(self) -> None:
        """Answer as if no other protocol had been asked for; uvicorn would advise, in the log, to install one."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, as everything is refused."""
        if self.transport.is_closing():
            return
        reply = refusal(Refused(400, msg))
        lines = (
            b"HTTP/1.1 400 Bad Request",
            b"content-type: application/json",
            b"content-length: " + str(len(reply.content)).encode(),
            b"connection: close",
            b"",
            reply.content,
        )
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def look(self, now: float, patience: float) -> bool:
        """Let go of a client that takes longer than ``patience`` seconds to send a request or to read an answer; say whether it was let go."""
        if self.since is not None and now - self.since > patience:
            begun = self.cycle is not None and not self.cycle.response_complete
            if begun:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.in_head and not begun:
                self._say_late()
            self.transport.abort() if begun else self.transport.close()
            return True
        unread = self.transport.get_write_buffer_size()
        if not unread or unread != self.unread:
            self.unread, self.unread_since = unread, now
        elif now - self.unread_since > patience:
            self.transport.abort()
            return True
        return False

    def _say_late(self) -> None:
        content = refusal(Refused(408, "The request did not come whole in time.")).content
        head = (
            b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
        )
        self.transport.write(head + str(len(content)).encode() + b"\r\n\r\n" + content)


async def watch(connections: set[Any], patience: float) -> None:
    """Look at every connection once a second, until cancelled."""
    while True:
        await asyncio.sleep(min(1.0, patience / 4))
        now = time.monotonic()
        for connection in list(connections):
            if isinstance(connection, Connection):
                connection.look(now, patience)


__all__ = ["Connection", "watch"]
