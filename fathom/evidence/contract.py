"""What a check is: a module that asks one question of a fitted model and answers with a Finding."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fathom.bundle.answers import banding
from fathom.bundle.answers.unlikeness import Unlikeness
from fathom.bundle.description import INTERVAL_LEVEL, Description
from fathom.data.encoding import Column, hanging_together
from fathom.data.modalities import MODALITIES
from fathom.data.rows.splitting import drawn, row_hashes
from fathom.data.table import Table
from fathom.effort import Effort
from fathom.evidence.affording import FREE, SHARES, UNBOUND, Allowance, Bound, in_words
from fathom.resampling import RESAMPLES, Resamples, share_limits
from fathom.scoring import Answer, Truth

Status = Literal["good", "warning", "bad", "neutral"]
MOST_CHARACTERS = 200  # of a cell: enough to recognise it
EVERY_KIND = tuple(kind.NAME for kind in MODALITIES)  # of column, for a check's ``SERVES``
TASKS: tuple[str, ...] = ("class", "number")  # the same, of a check that looks at answers alone
SIMPLER_ROWS = 200_000  # that simpler models may be fitted on again where a network may be fitted again once
LEFT_OUT = "left out"  # the answer to a question that costs more than it may

Answerer = Callable[[Table], Answer]
Reach = Callable[[Table, Answer], npt.NDArray[np.float64]]  # rows and the answers to them -> (row, 2), below and above
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """One piece of evidence: a question, an answer, a number with its interval and unit, a sentence, the data of a plot.

    ``answer`` ``"not applicable"`` is an answer, with its reason in ``sentence``. ``remedy`` says what to do about it; ``rows`` are lines of a table with the
    names of its columns as keys. ``clocked`` says further what hangs on a clock (seconds of training): reports show it after the sentence, and no bundle holds it, so that equal fits have equal bundles.
    """

    name: str
    question: str
    answer: str
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    status: Status = "neutral"
    remedy: str = ""
    rows: Sequence[Mapping[str, Any]] = ()
    plot: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    clocked: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON-able values."""
        return {**asdict(self), "rows": [dict(row) for row in self.rows]}


@dataclass(frozen=True)
class Part:
    """Some rows with their truth ``(row,)`` and a model's answers to them, ``(row, class)`` probabilities or ``(row,)`` numbers in the target's own unit.

    ``groups (row,)`` are labels of rows that hang together (a patient's visits, ``--group``) and are drawn together wherever rows are drawn again, as scores are;
    ``None`` where every row is its own. ``apart (row,)`` is how far the members of a network are apart on each row; ``None`` where one alone answers.
    """

    table: Table
    truth: Truth
    answer: Answer
    groups: npt.NDArray[Any] | None = None
    apart: npt.NDArray[np.float64] | None = None

    def take(self, rows: npt.NDArray[Any]) -> "Part":
        """Return the rows at these positions, or those marked ``(row,)``."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        groups, apart = (None if values is None else values[places] for values in (self.groups, self.apart))
        return Part(self.table.take(places), self.truth[places], self.answer[places], groups, apart)

    def share(self, hits: npt.NDArray[Any]) -> tuple[float, float]:
        """Return the 95 % interval, low and high, of the share of ``hits (row,)``; rows of a group tell together what they are worth."""
        return share_limits(hits, self.groups)

    def resamples(self, seed: int, count: int = RESAMPLES, among: npt.NDArray[np.bool_] | None = None) -> Resamples:
        """Draw the rows again, or those ``among (row,)`` them that are marked; those of a group together."""
        rows = len(self.truth) if among is None else int(among.sum())
        groups = self.groups if self.groups is None or among is None else self.groups[among]
        return Resamples.draw(rows, count=count, seed=seed, groups=groups)


@dataclass(frozen=True)
class Cost:
    """What a model costs: seconds to train, seconds to answer a row, bytes to keep."""

    name: str
    fit_seconds: float
    predict_seconds_per_row: float
    bytes: float


@dataclass(frozen=True)
class Weights:
    """The shipped model as it can be built again: its description and its weights, as they stand in its bundle."""

    description: Description
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Twin:
    """The network as it became without being pushed in training: its weights, what it answers, and what training took it and the pushed one, in seconds."""

    model: Weights
    answer: "Answerer" = field(repr=False)
    seconds: float
    taught_seconds: float


@dataclass(frozen=True)
class Refit:
    """Fits models of the kinds that a fit compared again, on some of its training rows.

    ``train`` are the rows to choose from, with their ``truth (row,)``; ``names`` the models, the network first; ``fit(name, rows, weights, bound)`` learns from the
    rows at these positions, which count as their ``weights (row,)`` say or alike, keeps within the bound where it can, and returns what answers a table
    in the target's own unit; ``taught(name, table, bound)`` learns from all of ``table``, which is ``train`` with other targets. What columns have learned (scales, words) stays as all training rows taught it.
    """

    train: Table
    truth: Truth
    names: Sequence[str]
    fit: "Callable[[str, Rows, npt.NDArray[np.float64] | None, Bound], Answerer]" = field(repr=False)
    taught: "Callable[[str, Table, Bound], Answerer] | None" = field(default=None, repr=False)


@dataclass(frozen=True)
class Effect:
    """The column whose effect on the target is asked for, and those that may cause both; ``None`` is all other inputs."""

    treatment: str
    confounders: Sequence[str] | None = None


@dataclass(frozen=True)
class Case:
    """What a check may look at: one target of one model.

    ``chosen`` are rows that choices were made by (the validation rows), ``sealed`` those that none was (the test rows); ``answer`` answers further rows of the
    same columns. ``classes`` are the names of a category's classes, ``None`` for a number. ``train`` and ``chosen`` are ``None`` where a bundle is checked
    on rows of its user. ``unlikeness`` tells rows that are unlike those of training, where the bundle has learned to.

    ``answers`` are those of every model that was compared, for the sealed rows; ``metric`` is the one that decides, ``""`` the task's own. ``model`` is the shipped one as it can be built
    again, ``refit`` fits again on fewer rows; ``None`` where there is no such. ``refits`` is what that may take, of which each check has its part (`fathom.evidence.affording.REFITS`); the same on every machine but under ``--minutes``. ``effort`` says how much a check may do.
    ``effect`` is asked for by the user, and so is the score ``goal``. ``taught`` says how rows were pushed in training (`fathom.training.hardening`), ``twin`` is the network without. ``allowance`` is what
    asking the model may cost. ``reach`` is how far the served interval of each answer that is a number reaches below and above it; ``None`` where nothing is served.
    """

    columns: Sequence[Column]
    target: Column
    classes: Sequence[str] | None
    sealed: Part
    answer: Answerer
    train: Table | None = None
    chosen: Part | None = None
    costs: Sequence[Cost] = ()
    protect: Sequence[str] = ()
    requests_per_day: float = 10_000.0
    seed: int = 0
    answers: Mapping[str, Answer] = field(default_factory=dict)
    metric: str = ""
    shipped: str = ""
    model: Weights | None = None
    refit: Refit | None = None
    refits: Bound = UNBOUND
    effort: Effort = "standard"
    effect: Effect | None = None
    goal: float | None = None
    unlikeness: Unlikeness | None = None
    taught: str = "off"
    twin: Twin | None = None
    allowance: Allowance = FREE
    reach: Reach | None = None


def affords_fits(case: Case, count: float, share: float) -> bool:
    """Return whether the shipped model may be fitted again so many times, whole, within a share of what fitting models again may take.

    A simpler model's own fit takes less than a network's, the more so the fewer rows it has: it may be fitted on so many rows in all. Under ``--minutes`` the clock says what its fit took.
    """
    assert case.refit is not None
    if case.refits.seconds is not None:
        took = next((one.fit_seconds for one in case.costs if one.name == case.shipped), 0.0)
        return count * took <= share * case.refits.seconds
    if case.shipped == "network":
        return count <= share * case.refits.work
    return count * case.refit.train.rows <= share * case.refits.work * SIMPLER_ROWS


def some(part: Part, most: int) -> Part:
    """Return at most ``most`` rows of a part, drawn and ordered by what they hold, so that no order of a table's rows moves a figure."""
    return part.take(drawn(part.table, most))


def side_by_side(columns: Sequence[Column], table: Table) -> tuple[Rows, Rows]:
    """Return rows ``(row,)`` in an order that hangs on what they hold, those that hang together side by side, and the unit ``(row,)`` of each in that order: a row, or a group."""
    groups = hanging_together(columns, table)
    if groups is None:
        return drawn(table), np.arange(table.rows)
    order = np.lexsort((row_hashes(table), groups))
    return order, np.unique(groups[order], return_inverse=True)[1].reshape(-1)


def served(case: Case) -> Reach:
    """Return how far the interval of each answer reaches below and above, ``(row, 2)``: as it is served or, where nothing is, as it would be after the rows that choices were made by."""
    if case.reach is not None:
        return case.reach
    known = case.chosen if case.chosen is not None and case.chosen.table.rows else case.sealed
    residuals = np.abs(known.truth - known.answer)
    bands, usual = (
        banding.learn(known.answer, residuals, INTERVAL_LEVEL),
        banding.half_width(residuals, INTERVAL_LEVEL),
    )

    def reach(_: Table, answer: Answer) -> npt.NDArray[np.float64]:
        width = banding.reach(bands, usual, answer)
        return np.stack((width, width), axis=1)

    return reach


def in_order(case: Case) -> Case:
    """Return the case with the rows of all its parts ordered by what they hold and not by where they stood.

    A check may then draw rows by the seed, and resample them, and says the same of a table whose rows were shuffled.
    """
    sealed, order = _ordered(case.sealed)
    chosen = case.chosen and _ordered(case.chosen)[0]
    train = case.train and case.train.take(drawn(case.train))
    answers = {name: answer[order] for name, answer in case.answers.items()}
    refit = case.refit and _refit_in_order(case.refit)
    return replace(case, sealed=sealed, chosen=chosen, train=train, answers=answers, refit=refit)


def _ordered(part: Part) -> tuple[Part, Rows]:
    order = drawn(part.table)
    return part.take(order), order


def _refit_in_order(refit: Refit) -> Refit:
    """Return what fits again on the same rows, which are named by where they stand in the new order."""
    order = drawn(refit.train)

    def fit(name: str, rows: Rows, weights: npt.NDArray[np.float64] | None, within: Bound) -> Answerer:
        return refit.fit(name, order[rows], weights, within)

    return replace(refit, train=refit.train.take(order), truth=refit.truth[order], fit=fit)


class Check(Protocol):
    """The contract. ``SERVES`` names what it judges, of each of which the contract suite (``tests/evidence/test_contract.py``) has a table on which it passes and one on which it does not.

    These are kinds of columns (`fathom.data.modalities`) where it looks at what cells hold, and else tasks, ``"class"`` and ``"number"``.
    """

    NAME: str
    QUESTION: str
    SOURCE: str
    SERVES: tuple[str, ...]

    def run(self, case: Case) -> Finding:
        """Answer the question. "not applicable" is an answer with a reason; it never raises for a case that is whole."""
        ...


def not_applicable(check: Check, reason: str) -> Finding:
    """Return the finding of a check that cannot answer here, with the reason."""
    return Finding(check.NAME, check.QUESTION, "not applicable", reason, source=check.SOURCE)


class Question(Protocol):
    """What a check and what a fit measures have in common."""

    NAME: str
    QUESTION: str
    SOURCE: str


def left_out(asked: Question, allowance: Allowance, least: float, command: str = "", known: bool = False) -> Finding:
    """Return the finding of a question that was left out since even its ``least`` answers cost more than it may take; ``command`` asks it all the same.

    Where the rows are ``known``, a reader that stays as it is has met them before.
    """
    command = command or f"fathom check RUN ROWS --only {asked.NAME}"
    price = allowance.known if known else allowance.row
    sentence = (
        f"A row takes this model about {in_words(price)} ({allowance.how}), and the {least:,.0f} answers that this question needs at least about {in_words(least * price)}: "
        f"more than the {in_words(SHARES[asked.NAME] * allowance.seconds)} that it may have here. To ask it all the same: {command}"
    )
    return Finding(asked.NAME, asked.QUESTION, LEFT_OUT, sentence, source=asked.SOURCE)


def plain(value: Any) -> Any:
    """Turn a cell into a JSON value: a number, a truth value, ``None``, or a text of at most 200 characters.

    >>> plain(np.float32(0.5)), plain(float("nan")), plain(b"abc"), plain("x" * 300)[-3:]
    (0.5, None, '3 bytes', 'xx…')
    """
    if hasattr(value, "as_py"):  # a cell of an Arrow array
        value = value.as_py()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    text = f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
