"""What a server says of itself: one JSON object a line, on the error output; never a row, an answer, a token or a path of the machine."""

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

MOST_LINES = 10_000  # that wait to be written; more are dropped and counted

Which = Literal["all", "events", "off"]


@dataclass
class Log:
    """Lines that wait, and where they go. ``which``: ``all`` has a line a request, ``events`` only what happens to the server itself."""

    which: Which = "all"
    stream: TextIO | None = None
    lines: list[str] = field(default_factory=list)
    dropped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, what: str, **said: Any) -> None:
        """Note that something happened to the server."""
        if self.which != "off":
            self._add({"time": round(time.time(), 3), "event": what, **said})

    def request(self, **said: Any) -> None:
        """Note a request that was answered or refused."""
        if self.which == "all":
            self._add({"time": round(time.time(), 3), **said})

    def _add(self, entry: dict[str, Any]) -> None:
        if len(self.lines) >= MOST_LINES:
            self.dropped += 1
            return
        self.lines.append(json.dumps(entry, ensure_ascii=True, default=str))

    def flush(self) -> None:
        """Write the lines that wait. Called on a thread, so that a reader that does not read stops nobody."""
        with self.lock:
            lines, self.lines = self.lines, []
            if self.dropped:
                lines.append(
                    json.dumps({"time": round(time.time(), 3), "event": "log lines dropped", "count": self.dropped})
                )
                self.dropped = 0
            if lines:
                stream = self.stream or sys.stderr
                try:
                    stream.write("\n".join(lines) + "\n")
                    stream.flush()
                except (OSError, ValueError):  # nobody reads any more
                    self.which = "off"
