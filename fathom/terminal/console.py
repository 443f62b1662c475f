"""The terminal itself: its width and colours, a grid, bars with time left, plain lines when nobody watches."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as Grid

from fathom.progress import Progress
from fathom.quantities import NOTHING, interval, together

PIPED_WIDTH = 120
DIGITS = 3  # significant ones of a score; the report has more
GAP = 2  # letters between two columns of a grid
MOST_COLUMNS = 30  # in the terminal; the report shows them all


def console(stderr: bool = False) -> Console:
    """Return the terminal; a pipe gets no colour and lines of a fixed width."""
    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=PIPED_WIDTH, no_color=True)


def grid(title: str, show_header: bool = False) -> Grid:
    """Return an empty grid with a title and no lines."""
    return Grid(title=title, title_justify="left", box=None, padding=(0, GAP, 0, 0), show_header=show_header)


class PlainProgress:
    """One line when a stage starts and one when it ends, for logs."""

    def __init__(self, to: Console) -> None:
        self.to = to
        self.stage, self.started = "", 0.0

    def begin(self, stage: str, total: int | None = None) -> None:
        """Note the stage."""
        self.stage, self.started = stage, time.perf_counter()

    def advance(self, done: int, note: str = "") -> None:
        """Keep quiet: a log wants ends."""

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Keep quiet."""

    def end(self, note: str = "") -> None:
        """Write the stage, what came of it and the seconds it took."""
        took = time.perf_counter() - self.started
        self.to.print(f"{self.stage}: {escape(note)}{' ' if note else ''}({took:.1f} s)", soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Write it down."""
        self.to.print(escape(sentence), soft_wrap=True)


class BarProgress:
    """One bar a stage, with the time left."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.stage = ""
        self.task: Any = None

    def begin(self, stage: str, total: int | None = None) -> None:
        """Start a bar; without a total it moves to and fro."""
        self.stage = stage
        self.task = self.bars.add_task(stage, total=total, note="")

    def advance(self, done: int, note: str = "") -> None:
        """Move the bar."""
        self.bars.update(self.task, completed=done, note=escape(note))

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Keep quiet: the note says it."""

    def end(self, note: str = "") -> None:
        """Fill the bar."""
        task = self.bars.tasks[self.task]
        total = task.total if task.total is not None else 1
        self.bars.update(self.task, total=total, completed=total, note=escape(note))
        self.bars.stop_task(self.task)

    def say(self, sentence: str) -> None:
        """Write it above the bars."""
        self.bars.console.print(escape(sentence))


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress | None]:
    """Show what a long job tells of itself, on standard error."""
    to = console(stderr=True)
    if quiet:
        yield None
    elif not to.is_terminal:
        yield PlainProgress(to)
    else:
        shown = (
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Bars(*shown, console=to) as bars:
            yield BarProgress(bars)


def scored(score: Mapping[str, float | None]) -> str:
    """Write a score with its interval.

    >>> scored({"value": 0.87123, "low": 0.861, "high": 0.882}), scored({"value": 545.2}), scored({"value": None})
    ('0.871 (0.861–0.882)', '545', '–')
    """
    value, low, high = together([score.get(name) for name in ("value", "low", "high")], DIGITS)
    between = interval(low, high)
    return f"{value} ({between})" if between and value != NOTHING else value
