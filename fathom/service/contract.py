"""What the parts of a service tell each other: an answer that was given, and who takes note of it."""

from dataclasses import dataclass
from typing import Protocol

from fathom.data.table import Table


@dataclass(frozen=True)
class Answered:
    """Rows that came together and were answered together: ``rows`` as they were sent, ``answers`` as they were returned, a row each.

    ``version`` is that of the bundle (`fathom.bundle.manifest.version`); ``when`` in seconds since 1970, ``seconds`` the time it took; ``shadow`` where the
    answers were compared and not returned.
    """

    request: str
    model: str
    version: str
    rows: Table
    answers: Table
    when: float
    seconds: float
    shadow: bool = False


class Observer(Protocol):
    """Someone who takes note of every answer: a store, a metric, a watch for drift."""

    def seen(self, answered: Answered) -> None:
        """Take note. Never raises, never waits: what cannot be noted is dropped and counted."""
        ...
