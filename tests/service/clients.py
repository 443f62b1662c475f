"""Clients that ask over bare sockets: many at once, slowly, wrongly, or gone before the answer."""

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any


def request(value: Any, path: str = "/predict", *headers: str) -> bytes:
    """Return a whole request."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    lines = (f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", *headers)
    return "\r\n".join((*lines, f"content-length: {len(body)}", "", "")).encode() + body


OPENED: list["Client"] = []


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run clients in a loop of their own, and close whatever they leave open."""

    async def within() -> Any:
        try:
            return await main
        finally:
            left, OPENED[:] = list(OPENED), []
            for one in left:
                one.close()
            for one in left:
                with contextlib.suppress(OSError):
                    await one.writer.wait_closed()

    return asyncio.run(within())


@dataclass
class Client:
    """One connection that is kept."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> "Client":
        OPENED.append(one := cls(*await asyncio.open_connection("127.0.0.1", port)))
        return one

    async def ask(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(content)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Break the connection off."""
        self.writer.transport.abort()


async def seconds_until_closed(reader: asyncio.StreamReader, most: float) -> float:
    """Return how long it took until the server closed a connection; ``most`` if it did not."""
    start = time.monotonic()
    try:
        async with asyncio.timeout(most):
            while await reader.read(65_536):
                pass
    except (TimeoutError, ConnectionError) as ended:
        return most if isinstance(ended, TimeoutError) else time.monotonic() - start
    return time.monotonic() - start
