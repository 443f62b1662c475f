"""How many requests are let in at once: no more than can be answered in time, judged by how quickly the latest were.

Little's law (Operations Research 9(3), 1961): who comes while ``n`` are inside waits ``n`` times the seconds between two answers. What a server spends on a request that it cannot answer in time it takes from one that it could
(Welsh and Culler, "Adaptive overload control for busy Internet servers", USITS 2003), so refusing comes before reading.
"""

import time
from dataclasses import dataclass

from fathom.service.refusing import Refused

WINDOW = 0.05  # seconds of uninterrupted work from which the pace is told,
LEAST = 8  # and answers
NEWS = 0.2  # weight of the latest window
SHARE = 0.5  # of the time that is left which the requests inside may take; the rest is for what lies in the network and the machine
FEW = 4  # requests that are always let in; only while there are as many does their pace say what the server can do


@dataclass
class Admission:
    """Counts the requests inside. ``pace`` is the seconds between two answers while there are always several inside."""

    inside: int = 0
    pace: float = 0.0
    _begun: float = 0.0
    _answered: int = 0

    def enter(self, deadline: float) -> None:
        """Let a request in that must be answered by ``deadline`` on the clock of `time.monotonic`. Raises Refused with 429 when it would be too late."""
        now = time.monotonic()
        expected = self.inside * self.pace
        if self.inside >= FEW and expected > SHARE * (deadline - now):
            raise Refused(
                429, f"{self.inside:,} requests are being answered. Ask again later.", retry_after=max(expected, 1.0)
            )
        self.inside += 1

    def leave(self) -> None:
        """Let a request out that was answered, or refused after it was let in."""
        now = time.monotonic()
        if self.inside < FEW:
            self._begun, self._answered = now, 0
        self.inside -= 1
        self._answered += 1
        if self._answered >= LEAST and now - self._begun >= WINDOW:
            pace = (now - self._begun) / self._answered
            self.pace = pace if not self.pace else (1 - NEWS) * self.pace + NEWS * pace
            self._begun, self._answered = now, 0
