"""What the process that watches over the workers answers itself while none of them does: that it lives, and to all else that it is worth asking again later.

It reads no body and opens no model, so that nothing of what killed the others can reach it; and it never waits for a client.
"""

import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from fathom.service.refusing import Refused, Reply, dump, refusal

MOST = 256  # clients at once; further ones wait in the queue of the socket
PATIENCE = 2.0  # seconds that a client may take to ask, and to take its answer
LONGEST = 64 << 10  # bytes that are read at once
ALIVE = ("/health/live", "/v2/health/live")


@dataclass(eq=False)
class Visitor:
    """A client: its connection, since when, what it said so far, and whether it was answered."""

    socket: socket.socket
    since: float
    head: bytes = b""
    answered: bool = False


@dataclass
class StandIn:
    """Clients of a socket whose workers are gone. ``retry_after`` is in how many seconds they are told to ask again."""

    listening: socket.socket
    retry_after: float = 1.0
    visitors: dict[int, Visitor] = field(default_factory=dict)

    def handles(self, accept: bool) -> list[int]:
        """Return what to wait for; new clients only when nobody else takes them."""
        more = [self.listening.fileno()] if accept and len(self.visitors) < MOST else []
        return [*more, *self.visitors]

    def answer(self, readable: Iterable[int]) -> None:
        """Take in who has come, and answer whose head is whole; let go of who takes too long."""
        for handle in readable:
            if handle == self.listening.fileno():
                with contextlib.suppress(OSError):  # who has left again, or a worker that was quicker
                    connection, _ = self.listening.accept()
                    connection.setblocking(False)
                    self.visitors[connection.fileno()] = Visitor(connection, time.monotonic())
            elif handle in self.visitors:
                self._hear(self.visitors[handle])
        for visitor in list(self.visitors.values()):
            if time.monotonic() - visitor.since > PATIENCE:
                self._leave(visitor)

    def close(self) -> None:
        """Let everyone go."""
        for visitor in list(self.visitors.values()):
            self._leave(visitor)

    def _hear(self, visitor: Visitor) -> None:
        try:
            said = visitor.socket.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._leave(visitor)
        elif not visitor.answered:
            visitor.head += said
            if b"\r\n\r\n" in visitor.head or len(visitor.head) > LONGEST:
                self._tell(visitor)

    def _tell(self, visitor: Visitor) -> None:
        """Answer, and read on until the client closes: closed with words unread, it would never get the answer."""
        words = visitor.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        reply = self._reply(words[1].partition("?")[0] if len(words) == 3 else "")
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            f"content-type: {reply.kind}",
            f"content-length: {len(reply.content)}",
            *(f"{name}: {value}" for name, value in reply.headers),
            "connection: close",
        ]
        visitor.answered = True
        with contextlib.suppress(OSError):
            visitor.socket.send("\r\n".join((*lines, "", "")).encode("latin-1") + reply.content)
            visitor.socket.shutdown(socket.SHUT_WR)

    def _reply(self, path: str) -> Reply:
        if path in ALIVE:
            return Reply(200, dump({"live": True}))
        words = "The processes that answer died too often and are begun again after a pause. Ask again later; the server's log says more."
        return refusal(Refused(503, words, retry_after=self.retry_after))

    def _leave(self, visitor: Visitor) -> None:
        del self.visitors[visitor.socket.fileno()]
        visitor.socket.close()
