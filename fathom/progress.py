"""What a long job tells about itself, for whoever shows it: a terminal, a log, a notebook, nobody.

A job goes through stages, one after the other. Of each it tells ``begin`` once, then ``advance`` and ``measure`` as often as there is news, and ``end`` once; a
stage that fails has no end. ``say`` may come at any time. They are called in the process and the thread of the job, which waits for them: be quick. What they
raise ends the job. The stages are named for people, and may be renamed.

>>> class Losses:
...     def begin(self, stage, total=None): self.stage = stage
...     def advance(self, done, note=""): pass
...     def measure(self, step, values): print(self.stage, step, values)
...     def end(self, note=""): pass
...     def say(self, sentence): pass
>>> told = Several(Silent(), Losses())
>>> told.begin("Training the network", total=40)
>>> told.measure(1, {"train_loss": 0.5})
Training the network 1 {'train_loss': 0.5}
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """The contract: stages follow one another; each may count its steps."""

    def begin(self, stage: str, total: int | None = None) -> None:
        """Say that a stage starts; ``total`` is how many steps it has, where that is known."""
        ...

    def advance(self, done: int, note: str = "") -> None:
        """Say that ``done`` steps of the stage are behind us, and what came of them."""
        ...

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Say what was measured at a step of the stage, counted from 1.

        Training measures every epoch: ``train_loss`` and ``validation_loss`` (means over rows: nats for a class, squared standard deviations for a number),
        ``learning_rate``, and ``seconds`` since training began.
        """
        ...

    def end(self, note: str = "") -> None:
        """Say that the stage is over and what came of it."""
        ...

    def say(self, sentence: str) -> None:
        """Say something that is worth knowing at once."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, done: int, note: str = "") -> None:
        """Do nothing."""

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def end(self, note: str = "") -> None:
        """Do nothing."""

    def say(self, sentence: str) -> None:
        """Do nothing."""


class Several:
    """Tells several, in their order."""

    def __init__(self, *listeners: Progress) -> None:
        self.listeners = listeners

    def begin(self, stage: str, total: int | None = None) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.begin(stage, total)

    def advance(self, done: int, note: str = "") -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.advance(done, note)

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.measure(step, values)

    def end(self, note: str = "") -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.end(note)

    def say(self, sentence: str) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.say(sentence)
