"""Dates and times of the day: where a moment lies in the span of training, and where in the year, the week and the day.

A trend alone cannot say that December is next to January; a sine and a cosine for each cycle can, and linear and tree models
learn from them as networks do (London, "Encoding cyclical continuous features", 2016). Only cycles that the training rows
go round are written. Moments with a zone are reckoned in UTC, others as they stand. ISO dates are read in every column of
dates, whatever its own format.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import calendars, scaling
from fathom.data.cells import values as cells
from fathom.data.cells.calendars import Days
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import OptionError, TableError
from fathom.shapes import Shape

NAME = "date"
SHAPE: Shape = "scalar"
SUMMARY = "dates, times of the day, and both together"
SOURCE = "London, Encoding cyclical continuous features, 2016, https://ianlondon.github.io/blog/encoding-cyclical-features-24hour-time/"
PREDICTABLE = False

EPOCH = 719_163  # 1970-01-01 as a proleptic Gregorian ordinal
_PLAIN = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?", re.ASCII)

FARTHEST = 4.0  # deviations from the median; the trend goes on beyond the training rows, but not for ever
LEAST_SPAN = 60.0  # days of training rows from which the season can be told
CYCLE_KNOTS = 17  # edges of 16 bins of a sine or cosine
NOISE = (0.01, 0.03, 0.06, 0.12, 0.20)  # of the spread, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity
SWAPPED = (0.0, 0.0, 0.05, 0.10, 0.20)  # share of dates whose day and month are exchanged where both are possible


@dataclass(frozen=True)
class State:
    """What was learned of a column of dates.

    ``formats`` are those of text cells. ``first`` and ``last`` are days since 1970 of the training rows, ``middle`` (the median) and
    ``deviation`` the scale of the trend, in days. ``cycles`` and ``varying`` name the cycles and the features that the training
    rows exercise; ``knots`` hold those of each part in turn. ``clock`` says that the column has times and no dates.
    """

    formats: tuple[str, ...]
    first: float
    last: float
    middle: float
    deviation: float
    cycles: tuple[str, ...]
    varying: tuple[str, ...]
    knots: tuple[tuple[float, ...], ...]
    has_missing: bool
    clock: bool

    def __post_init__(self) -> None:
        for name in ("formats", "cycles", "varying", "knots"):
            object.__setattr__(self, name, cells.as_tuple(getattr(self, name)))


def claim(values: pa.Array) -> Claim:
    """Count the cells that are dates or times, on at most 20,000 rows evenly spread; a year alone is a number."""
    values = cells.plain(cells.evenly(values, calendars.LOOK))
    if calendars.is_moment(values):
        return Claim(0.99, f"values of type {values.type}")
    known = values.filter(pa.array(~missing(values)))
    if not len(known) or not (cells.is_text(known) or pa.types.is_integer(known.type)):
        return Claim(0.0, "no cell is a date")
    words = cells.words_of(known)
    found = calendars.find_formats(words)
    days = calendars.parse(words, found.formats)
    share = float(np.isfinite(days).mean())
    if share < 0.8:
        return Claim(0.2 * share, "few cells are dates")
    if share < 1.0:
        other = cells.quoted(words, int(np.argmax(np.isnan(days))))
        return Claim(0.6, f"{cells.share_in_words(share)} of the cells are dates, first other cell: {other}")
    what = "times of the day" if found.formats == (calendars.CLOCK,) else "dates"
    reason = f"all {len(known):,} cells with a value are {what} ({' or '.join(found.formats)})"
    if "yearmonthday" in found.formats:  # eight digits may be an amount by chance, but hardly twenty different times
        return Claim(0.97 if len(np.unique(days)) >= 20 else 0.5, reason)
    return Claim(0.97, f"{reason}; {found.doubt}" if found.doubt else reason)


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn formats, span and cycles from the training rows.

    Raises OptionError for a target, TableError when there are values but no date among them.
    """
    if role == "target":
        raise OptionError(_CANNOT)
    values = cells.plain(values)
    known = values.filter(pa.array(~missing(values)))
    formats, clock = _formats(values, known)
    days = calendars.days_of(values, formats)
    there = days[np.isfinite(days)]
    if len(known) and not len(there):
        raise TableError(
            f"None of the {len(values):,} training cells is a date: the first is {cells.quoted(known, 0)}. "
            "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
        )
    distinct, counts = scaling.counted(there if len(there) else np.zeros(1))
    chosen = scaling.spread(counts, calendars.LOOK)  # enough to see what varies, and how
    distinct, counts = distinct[chosen], counts[chosen]
    low, middle, high = np.quantile(there if len(there) else distinct, (0.1, 0.5, 0.9))
    varying = tuple(
        name for name, field in _fields(distinct).items() if len(np.unique(field)) > 1 and (name == "hour" or not clock)
    )
    state = State(
        formats=formats,
        first=float(distinct[0]),
        last=float(distinct[-1]),
        middle=float(middle),
        # 2.5631 deviations of a normal variable lie between its first and last tenth
        deviation=float((high - low) / 2.5631 or np.ptp(distinct) / 12**0.5 or 1.0),
        cycles=_cycles(distinct, varying),
        varying=varying,
        knots=(),
        has_missing=len(there) < len(values),
        clock=clock,
    )
    encoded = _encoded(state, distinct)
    limits = (scaling.KNOTS, *(CYCLE_KNOTS for _ in range(1, encoded.shape[1])))
    return replace(state, knots=tuple(_knots(encoded[:, part], counts, limit) for part, limit in enumerate(limits)))


def _formats(values: pa.Array, known: pa.Array) -> tuple[tuple[str, ...], bool]:
    """Return the formats in which text cells are read, and whether they are times without dates."""
    typed = calendars.is_moment(values)
    formats = () if typed else calendars.find_formats(cells.words_of(known)).formats
    if formats == (calendars.CLOCK,) or pa.types.is_time(values.type):
        return (calendars.CLOCK,), True
    return tuple(dict.fromkeys((*formats, calendars.ISO))), False


def _knots(encoded: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], limit: int) -> tuple[float, ...]:
    places, inverse = np.unique(encoded, return_inverse=True)
    return scaling.knots(places, np.bincount(inverse, weights=counts).astype(np.int64), limit)


def _cycles(distinct: Days, varying: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cycles that the training rows go round: a season needs 60 days, a weekday dates that are not all first of a month."""
    span = float(distinct[-1] - distinct[0])
    found = {"year": span > LEAST_SPAN, "weekday": "weekday" in varying and "day" in varying, "hour": "hour" in varying}
    return tuple(name for name, there in found.items() if there)


def _fields(days: Days) -> dict[str, npt.NDArray[np.float64]]:
    """Return year, month, day, weekday (0 is Monday) and hour of each day since 1970, NaN where that is NaN."""
    there = np.isfinite(days)
    whole = np.floor(np.where(there, days, 0.0))
    dates = whole.astype(np.int64).astype("M8[D]")
    months = dates.astype("M8[M]")
    fields = {
        "year": dates.astype("M8[Y]").astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (dates - months.astype("M8[D]")).astype(np.int64) + 1,
        "weekday": (whole.astype(np.int64) + 3) % 7,
        "hour": (np.where(there, days, 0.0) - whole) * 24,
    }
    return {name: np.where(there, field, np.nan) for name, field in fields.items()}


def _turns(days: Days, cycle: str) -> npt.NDArray[np.float64]:
    """Return how far round its cycle each moment is, 0 to 1."""
    if cycle == "hour":
        return days - np.floor(days)
    if cycle == "weekday":
        return (np.floor(days) + 3) % 7 / 7
    there = np.where(np.isfinite(days), days, 0.0)
    start = np.floor(there).astype(np.int64).astype("M8[D]").astype("M8[Y]").astype("M8[D]").astype(np.int64)
    return (days - start) / 365.25


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the trend, sine and cosine of each cycle, and whether the date is missing if some were in training."""
    names = ["trend", *(f"{cycle}_{wave}" for cycle in state.cycles for wave in ("sin", "cos"))]
    described = [Part(column, name, "scalar", knots=knots) for name, knots in zip(names, state.knots, strict=True)]
    if state.has_missing:
        described.append(Part(column, "missing", "scalar", knots=(0.0, 1.0)))
    return tuple(described)


def _encoded(state: State, days: Days) -> npt.NDArray[np.float64]:
    trend = np.clip((days - state.middle) / state.deviation, -FARTHEST, FARTHEST)
    turns = [2 * np.pi * _turns(days, cycle) for cycle in state.cycles]
    waves = [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.stack([trend, *waves], axis=1)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into ``(row, part)``; a missing or unreadable date is 0 in every part but the flag."""
    days = calendars.days_of(values, state.formats)
    encoded = np.nan_to_num(_encoded(state, days), nan=0.0)
    if state.has_missing:
        encoded = np.concatenate([encoded, np.isnan(days)[:, None]], axis=1)
    return encoded.astype(np.float32)


def single(state: State, features: bool) -> Callable[[Any], tuple[float, ...] | None]:
    """Return what encodes one date or moment in ISO form, without a zone; all else is left to `encode`."""

    def encoded(value: Any) -> tuple[float, ...] | None:
        if value.__class__ is not str or not _PLAIN.fullmatch(value):
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
        days = np.array([moment.toordinal() - EPOCH + seconds / 86_400])
        if features:
            fields = _fields(days) if state.varying else {}
            return (float(days[0]) - state.first, *(float(fields[name][0]) for name in state.varying))
        found: list[float] = _encoded(state, days)[0].tolist()
        return (*found, 0.0) if state.has_missing else tuple(found)

    return encoded if calendars.ISO in state.formats[:1] and not state.clock else lambda value: None


_CANNOT = "A date column cannot be predicted yet. Choose another target, or make it a number first, such as the days until the date."


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: dates cannot be predicted yet."""
    raise OptionError(_CANNOT)


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that are neither missing nor a date in one of the column's formats."""
    return np.isnan(calendars.days_of(values, state.formats)) & ~missing(values)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing or a word for missing."""
    return cells.missing_mask(values)


def features(state: State, values: pa.Array) -> Features:
    """Make the days since the first training row, and those of year, month, day, weekday and hour that vary; NaN where missing."""
    days = calendars.days_of(values, state.formats)
    fields = _fields(days)
    matrix = np.stack([days - state.first, *(fields[name] for name in state.varying)], axis=1)
    return Features(matrix, ("days", *state.varying), (0,) * matrix.shape[1])


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Move the moments by noise of 1 to 20 % of their spread, exchange day and month from severity 3 on, and empty some cells."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    values = cells.plain(values)
    values = values if calendars.is_moment(values) else cells.words_of(values)
    formats, clock = _formats(values, values.filter(pa.array(~missing(values))))
    days = calendars.days_of(values, formats)
    there = np.isfinite(days)
    if not there.any():
        return cells.empty_some(values, LOST[level], generator)
    known = np.where(there, days, 0.0)
    moved = known + generator.normal(0.0, NOISE[level], len(days)) * float(known[there].std())
    moved = np.where(known == np.floor(known), np.rint(moved), moved)
    fields = {name: field.astype(np.int64) for name, field in _fields(moved).items()}
    swapped = (generator.random(len(days)) < SWAPPED[level]) & (fields["day"] <= 12) & (not clock)
    month = (fields["year"] - 1970) * 12 + fields["day"] - 1
    moved = np.where(
        swapped, month.astype("M8[M]").astype("M8[D]").astype(np.int64) + fields["month"] - 1 + moved % 1, moved
    )
    changed = calendars.as_values(moved % 1 if clock else moved, values.type)
    return cells.empty_some(pc.if_else(pa.array(there), changed, values), LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.string())


def show(state: State, value: Any) -> str:
    """Write a date or a time in ISO form; a text cell as it stood."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    column = pa.array([cell.as_py()], cell.type)
    if missing(column)[0]:
        return "missing"
    return str(cells.words_of(column)[0].as_py())


def sample(count: int, seed: int) -> pa.Array:
    """Make moments of two years, one in twenty missing."""
    generator = np.random.default_rng(seed)
    seconds = 1_600_000_000 + generator.integers(0, 2 * 365 * 86_400, count)
    return pa.array(seconds, mask=generator.random(count) < 0.05).cast(pa.timestamp("s")).cast(pa.string())
