"""What a long job tells about itself, for whoever shows it: a terminal, a log, a notebook, nobody."""

from typing import Protocol


class Progress(Protocol):
    """The contract: stages follow one another; each may count its steps."""

    def begin(self, stage: str, total: int | None = None) -> None:
        """Say that a stage starts; ``total`` is how many steps it has, where that is known."""
        ...

    def advance(self, done: int, note: str = "") -> None:
        """Say that ``done`` steps of the stage are behind us, and what came of them."""
        ...

    def end(self, note: str = "") -> None:
        """Say that the stage is over and what came of it."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, done: int, note: str = "") -> None:
        """Do nothing."""

    def end(self, note: str = "") -> None:
        """Do nothing."""
