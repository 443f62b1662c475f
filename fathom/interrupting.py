"""Ctrl-C and SIGTERM end a long job tidily, also when Python loses the exception on its way.

An exception that a signal raises inside a callback of the garbage collector or of a weak reference is reported and forgotten, and the job would go on. So the wish to
stop is kept, and raised again at the next news of the job.
"""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Wish:
    """A listener of progress that ends the job at its next news, once someone has asked for it; see `fathom.progress.Progress`."""

    def __init__(self) -> None:
        self.number: int | None = None

    def ask(self, number: int, frame: object) -> None:
        """Take a signal: keep the wish, and raise it."""
        self.number = number
        self.raise_it()

    def raise_it(self) -> None:
        """Raise KeyboardInterrupt after Ctrl-C, SystemExit after SIGTERM, nothing where nobody asked."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise SystemExit(128 + self.number)

    def begin(self, stage: str, total: int | None = None) -> None:
        """End the job if it is to end."""
        self.raise_it()

    def advance(self, done: int, note: str = "") -> None:
        """End the job if it is to end."""
        self.raise_it()

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """End the job if it is to end."""
        self.raise_it()

    def end(self, note: str = "") -> None:
        """End the job if it is to end."""
        self.raise_it()

    def say(self, sentence: str) -> None:
        """End the job if it is to end."""
        self.raise_it()


@contextmanager
def stoppable() -> Iterator[Wish]:
    """Listen for Ctrl-C and SIGTERM; training listens for itself while it lasts.

    >>> with stoppable() as wish:
    ...     wish.begin("Reading")
    """
    wish = Wish()
    before = {number: signal.signal(number, wish.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
