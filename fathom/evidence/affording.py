"""What a question may cost: how many answers of the model it can pay for out of its share of the time, by prices that are reckoned and not clocked.

A network that reads texts or pictures may take a thousand times as long for a row as one that reads numbers, and a check that asks it a thousand times then outlasts the fit. So every fit gives its questions so many seconds
(`fathom.effort.EVIDENCE_FLOOR` and ``EVIDENCE_SHARE``), each question has its share of them, and takes as many rows as that pays for: never fewer than make a finding, else it says that it was left out, and which command asks it all the same. Prices come from the arithmetic of
a row (`fathom.chapters.reckoning`), not from the clock: the same seed asks the same rows on every machine and beside every neighbour. Only a fit with ``--minutes`` goes by the clock, which it does anyway.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

# How the seconds are shared out among the questions that ask the model for answers, by name.
SHARES = {
    "importance": 0.15,
    "dependence": 0.05,
    "robustness": 0.15,
    "adversarial": 0.10,
    "faithfulness": 0.15,
    "memorising": 0.10,
    "reasons": 0.20,
    "layers": 0.05,
    "parity": 0.05,  # no question of its own: that the bundle answers as the model that was trained
}


# What each check may take to fit models again, in times of a `Bound`; under ``--minutes`` they share the time that is left.
REFITS = {"scaling": 1.0, "memorising": 0.75, "fairness": 0.6, "causes": 0.5, "suspects": 0.3}


@dataclass(frozen=True)
class Allowance:
    """What the questions about a model may cost.

    ``seconds`` are for all of them together, ``row`` is what the answer to a row takes, ``known`` what it takes where a reader that stays as it is has met the row's
    texts and pictures before, and ``how`` says in words how these are known. By default everything is free.

    >>> slow = Allowance(60.0, row=0.1, known=0.001)
    >>> slow.affords("robustness", 250, fewest=50, each=6), slow.affords("robustness", 250, fewest=5, each=6), slow.affords("importance", 250, fewest=50, each=6, known=True)
    (0, 15, 250)
    """

    seconds: float = inf
    row: float = 0.0
    known: float = 0.0
    how: str = ""

    def affords(self, question: str, wanted: int, fewest: int, each: float = 1.0, known: bool = False) -> int:
        """Return how many rows a question can pay for where each takes ``each`` answers: at most ``wanted``, and 0 where that is fewer than ``fewest`` and than are wanted."""
        cost = each * (self.known if known else self.row)
        share = SHARES[question] * self.seconds
        count = wanted if wanted * cost <= share else int(share / cost + 1e-9)
        return count if count >= min(fewest, wanted) else 0

    def as_json(self) -> dict[str, Any]:
        """Return the allowance as JSON-able values; ``None`` where there is no limit."""
        return {
            "seconds": None if self.seconds == inf else round(self.seconds, 3),
            "row": self.row,
            "known": self.known,
            "how": self.how,
        }


@dataclass(frozen=True)
class Bound:
    """How much fitting models again may take, and each check a part of it (``REFITS``): ``work``, in times of what a model's own fit was planned to take, and under ``--minutes`` also ``seconds`` by the clock.

    >>> Bound(0.5, 8.0).share(0.25), Bound(0.5).share(0.5)
    (Bound(work=0.125, seconds=2.0), Bound(work=0.25, seconds=None))
    """

    work: float = inf
    seconds: float | None = None

    def share(self, part: float) -> "Bound":
        """Return a share of it."""
        return Bound(part * self.work, None if self.seconds is None else part * self.seconds)


def in_words(seconds: float) -> str:
    """Write a time as people say it.

    >>> in_words(0.00012), in_words(0.3), in_words(42.0), in_words(400.0)
    ('0.12 ms', '0.3 s', '42 s', '7 minutes')
    """
    if seconds >= 120:
        return f"{seconds / 60:,.0f} minutes"
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{1_000 * seconds:.2g} ms"


FREE = Allowance()
UNBOUND = Bound()

__all__ = ["FREE", "REFITS", "SHARES", "UNBOUND", "Allowance", "Bound", "in_words"]
