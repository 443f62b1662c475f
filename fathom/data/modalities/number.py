"""Amounts: whole and decimal numbers, in text as people write them or in any number type.

As an input a number becomes its normal score among the training rows (the quantile transform that Gorishniy et al., "Revisiting
deep learning models for tabular data", NeurIPS 2021, section 4.2, found best for networks): no outlier, no unit and no long
tail can hurt. The scores run along at most 256 landmarks, half of them spread over the distinct values, so that a tail behind a
heap of equal values is resolved too; what lies beyond the landmarks keeps its order and stays within ±4. As a target a number is
standardised, so that a squared error means the same as on the numbers themselves. Everything here is our own code.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import numerals, scaling
from fathom.data.cells import values as cells
from fathom.data.cells.numerals import Form, Numbers
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import TableError
from fathom.shapes import Shape

NAME = "number"
SHAPE: Shape = "scalar"
SUMMARY = "amounts: whole or decimal numbers, with their currency, per cent and thousands marks"
SOURCE = "Gorishniy et al., Revisiting Deep Learning Models for Tabular Data, NeurIPS 2021, https://arxiv.org/abs/2106.11959, section 4.2"
PREDICTABLE = True

EXACT = 2**53  # whole numbers above lose digits in float64
FLOAT32 = float(np.finfo(np.float32).max)
NOISE = (0.01, 0.03, 0.06, 0.12, 0.20)  # of the spread, by severity
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied, by severity
SLIPPED = (0.0, 0.0, 0.0, 0.01, 0.03)  # share of cells ten or a hundred times too large, by severity


@dataclass(frozen=True)
class State:
    """What was learned of a column of numbers.

    ``decimal``, ``thousands``, ``prefix`` and ``suffix`` say how text cells are written. ``landmarks`` and their ``scores`` are the
    transform of an input, ``middle`` the code of its median; ``mean`` and ``deviation`` are the transform of a target.
    ``knots`` are in units of the code. ``lowest``, ``highest``, ``whole`` and ``digits`` (decimals shown) describe the numbers.
    """

    transform: Literal["quantile", "standard"]
    decimal: str
    thousands: str
    prefix: str
    suffix: str
    landmarks: tuple[float, ...]
    scores: tuple[float, ...]
    middle: float
    knots: tuple[float, ...]
    mean: float
    deviation: float
    lowest: float
    highest: float
    has_missing: bool
    whole: bool
    digits: int

    def __post_init__(self) -> None:
        for name in ("landmarks", "scores", "knots"):
            object.__setattr__(self, name, cells.as_tuple(getattr(self, name)))

    @property
    def form(self) -> Form:
        """How text cells are written."""
        return Form(self.decimal, self.thousands, self.prefix, self.suffix)


def _numbers(values: pa.Array, form: Form) -> Numbers:
    """Return plain values as float64 ``(row,)``, NaN where there is no number; a duration is its seconds."""
    kind = values.type
    if cells.is_text(values):
        return numerals.parse(values, form)
    if pa.types.is_boolean(kind):
        values = values.cast(pa.uint8())
    elif pa.types.is_duration(kind):
        per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        values = pc.divide(values.cast(pa.int64()).cast(pa.float64(), safe=False), per_second)
    elif not cells.is_number(values):
        return np.full(len(values), np.nan)
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _read(values: pa.Array) -> tuple[pa.Array, pa.Array, Form]:
    """Return the values in a plain type, those of them that are not missing, and the form in which they are written."""
    values = cells.plain(values)
    known = values.filter(pa.array(~cells.missing_mask(values)))
    return values, known, numerals.find_form(known) if cells.is_text(known) else numerals.PLAIN


def claim(values: pa.Array) -> Claim:
    """Count the cells that are numbers, on at most 20,000 rows evenly spread; codes and whole numbers beyond 2**53 are none."""
    values, known, form = _read(cells.evenly(values, numerals.LOOK))
    if pa.types.is_boolean(values.type):
        return Claim(0.05, "true and false are no amounts")
    if not len(known):
        return Claim(0.0, "no cell has a value")
    numbers = _numbers(known, form)
    finite = np.isfinite(numbers)
    if reason := _is_code(known, numbers):
        return Claim(0.1, reason)
    share = float(finite.mean())
    if share == 1.0:
        reason = f"all {len(known):,} {'cells' if len(known) == len(values) else 'cells with a value'} are numbers"
        if form.remarks:
            reason += f"; {form.remarks}"
        if cells.is_text(known) and numerals.is_torn(known, form):
            first = known[int(np.argmax(cells.as_mask(pc.match_substring(known, ","))))].as_py().strip()
            reason += f", so {first!r} is {numerals.parse(pa.array([first]), form)[0]:.15g}"
        return Claim(0.95, reason)
    other = cells.quoted(known, int(np.argmin(finite)))
    if share == 0.0:
        return Claim(0.0, f"no cell is a number, the first is {other}")
    reason = f"{cells.share_in_words(share)} of the cells are numbers, first other cell: {other}"
    return Claim(0.6 if share >= 0.8 else 0.2 * share, reason)


def _is_code(known: pa.Array, numbers: Numbers) -> str:
    """Return why the cells are codes written in digits, and not amounts, or an empty string."""
    text = cells.is_text(known)
    whole = numerals.whole_cells(known) if text else np.full(len(known), pa.types.is_integer(known.type))
    if not whole.any():
        return ""
    if reason := _loses_digits(known, numbers, whole):
        return reason
    if text and whole.all():
        stripped = pc.utf8_trim_whitespace(known)
        lengths = pc.unique(pc.utf8_length(stripped))
        if len(lengths) == 1 and lengths[0].as_py() > 1 and pc.any(pc.starts_with(stripped, "0")).as_py():
            return f"every cell has {lengths[0].as_py()} digits and some begin with 0: a code, not an amount"
    return ""


def _loses_digits(known: pa.Array, numbers: Numbers, whole: npt.NDArray[np.bool_]) -> str:
    """Return that whole numbers are too long for float64, or an empty string."""
    with np.errstate(invalid="ignore"):
        beyond = whole & (np.abs(numbers) > EXACT)
    if beyond.mean() <= 0.1:
        return ""
    digits = len(str(known[int(np.argmax(beyond))].as_py()).strip("+- "))
    return f"whole numbers of {digits} digits would lose digits as a number"


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn form, scale and knots from the training rows; infinite and missing cells are left out of every statistic.

    Raises TableError when there are values but no number among them, no number at all to predict, or when most are whole numbers
    with more digits than a number keeps.
    """
    values, known, form = _read(values)
    numbers = _numbers(values, form)
    if len(known):
        known_numbers = _numbers(known, form)
        whole = (
            numerals.whole_cells(known)
            if cells.is_text(known)
            else np.full(len(known), pa.types.is_integer(known.type))
        )
        if reason := _loses_digits(known, known_numbers, whole):
            raise TableError(
                f"{reason[0].upper()}{reason[1:]}: {cells.quoted(known, 0)} becomes {known_numbers[0]:.0f}. "
                "Read the column as words with --columns NAME=category, or as names with NAME=id."
            )
    distinct, counts = scaling.counted(numbers)
    if not len(distinct) and (len(known) or role == "target"):
        first = f"the first is {cells.quoted(known, 0)}" if len(known) else "every cell is missing"
        raise TableError(
            f"None of the {len(values):,} training cells is a number: {first}. "
            "Read the column as words with --columns NAME=category, or leave it out with --columns NAME=skip."
        )
    if not len(distinct):  # a column without any value, which nothing can be learned of
        distinct, counts = np.zeros(1), np.ones(1, np.int64)
    target = role == "target"
    mean, deviation = scaling.mean_and_deviation(np.clip(numbers[np.isfinite(numbers)], distinct[0], distinct[-1]))
    chosen = scaling.spread(counts, 0 if target else scaling.LANDMARKS)
    landmarks, scores = distinct[chosen], scaling.normal_scores(counts, chosen)
    encoded = (distinct - mean) / deviation if target else scaling.forth(distinct, landmarks, scores)
    median = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    noise = 1e-7 if values.type in (pa.float32(), pa.float16()) else 1e-12
    digits = numerals.count_digits(distinct[scaling.spread(counts, numerals.LOOK)], noise)
    return State(
        transform="standard" if target else "quantile",
        decimal=form.decimal,
        thousands=form.thousands,
        prefix=form.prefix,
        suffix=form.suffix,
        landmarks=tuple(landmarks.tolist()),
        scores=tuple(scores.tolist()),
        middle=0.0 if target else float(encoded[median]),
        knots=scaling.knots(encoded, counts),
        mean=mean,
        deviation=deviation,
        lowest=float(distinct[0]),
        highest=float(distinct[-1]),
        has_missing=bool(np.isnan(numbers).any()) and not target,
        whole=bool((np.trunc(distinct) == distinct).all()),
        digits=max(digits, numerals.significant_digits(deviation)),
    )


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the number, and whether it is missing if some were in training."""
    value = Part(column, "value", "scalar", knots=state.knots)
    return (value, Part(column, "missing", "scalar", knots=(0.0, 1.0))) if state.has_missing else (value,)


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into ``(row, 1)``, or ``(row, 2)`` with a flag for missing. What is no number gets the code of the median."""
    numbers = _numbers(cells.plain(values), state.form)
    nothing = np.isnan(numbers)
    if state.transform == "standard":
        with np.errstate(over="ignore"):
            encoded = np.clip((numbers - state.mean) / state.deviation, -FLOAT32, FLOAT32)
    else:
        encoded = scaling.forth(numbers, state.landmarks, state.scores)
    encoded[nothing] = state.middle
    return np.stack((encoded, nothing) if state.has_missing else (encoded,), axis=1).astype(np.float32)


def single(state: State, features: bool) -> Callable[[Any], tuple[float, ...] | None]:
    """Return what encodes one Python number, or text of plain digits, along the same straight lines as `encode`; all else but None is left to that."""
    nothing: tuple[float, ...] = (state.middle, 1.0) if state.has_missing else (state.middle,)
    form = state.form
    if features:
        return lambda value: _feature(value, form)
    if state.transform == "standard":
        return _leave
    landmarks, scores, there = (
        array("d", state.landmarks),
        array("d", state.scores),
        (0.0,) if state.has_missing else (),
    )
    slopes = array("d", np.diff(scores) / np.diff(landmarks))
    low, high = landmarks[0], landmarks[-1]

    def encoded(value: Any) -> tuple[float, ...] | None:
        if value.__class__ is float or value.__class__ is int:
            if low < value < high:
                place = bisect_right(landmarks, value) - 1
                return (slopes[place] * (value - landmarks[place]) + scores[place], *there)
            if abs(value) < scaling.HUGE:
                return (float(scaling.forth(np.array([value], np.float64), landmarks, scores)[0]), *there)
        if value is None:
            return nothing
        number = numerals.plain_number(value, form)
        return None if number is None else encoded(number)

    return encoded


def _leave(value: Any) -> None:
    """Leave every cell to `encode`."""


def _feature(value: Any, form: Form) -> tuple[float, ...] | None:
    if value.__class__ is float or value.__class__ is int:
        return (min(max(value, -FLOAT32), FLOAT32),)
    if value is None:
        return (math.nan,)
    number = numerals.plain_number(value, form)
    return None if number is None else (number,)


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Turn scalars ``(row,)`` back into numbers."""
    scalars = np.asarray(answer, np.float64).reshape(len(answer))
    if state.transform == "standard":
        with np.errstate(over="ignore"):
            return pa.array(np.nan_to_num(scalars * state.deviation + state.mean))
    return pa.array(scaling.back(scalars, state.landmarks, state.scores))


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that are neither missing nor a finite number in the column's form."""
    return ~np.isfinite(_numbers(cells.plain(values), state.form)) & ~missing(values)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing, a word for missing, or a float that is not a number."""
    return cells.missing_mask(values)


def features(state: State, values: pa.Array) -> Features:
    """Make one feature: the number itself, NaN where there is none, infinite ones at float32's limits."""
    numbers = np.clip(_numbers(cells.plain(values), state.form), -FLOAT32, FLOAT32)
    return Features(numbers[:, None], ("value",), (0,))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Add noise of 1 to 20 % of the spread, empty cells, and from severity 4 on slips of the unit (ten or a hundred times)."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    values, _, form = _read(values)
    numbers = _numbers(values, form)
    finite = numbers[np.isfinite(numbers)]
    _, deviation = scaling.mean_and_deviation(finite)
    with np.errstate(over="ignore", invalid="ignore"):
        noisy = numbers + generator.normal(0.0, NOISE[level], len(numbers)) * deviation
        slip = generator.random(len(numbers)) < SLIPPED[level]
        noisy = np.where(slip, noisy * generator.choice([10.0, 100.0], len(numbers)), noisy)
    noisy = np.where(np.isfinite(noisy), noisy, numbers)
    if cells.is_text(values):
        changed = numerals.write_column(noisy, form, numerals.count_digits(finite))
    elif pa.types.is_integer(values.type):
        limits = np.iinfo(values.type.to_pandas_dtype())
        whole = np.clip(np.rint(noisy), max(float(limits.min), -float(EXACT)), min(float(limits.max), float(EXACT)))
        changed = pa.array(whole, mask=np.isnan(whole)).cast(values.type)
    else:
        changed = pa.array(noisy, mask=np.isnan(noisy))
    kept = pc.if_else(pa.array(np.isfinite(numbers)), changed, values) if changed.type == values.type else changed
    return cells.empty_some(kept, LOST[level], generator)


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.float64())


def show(state: State, value: Any) -> str:
    """Write a number in the column's own form, so that it can be read back; a text cell as it stood."""
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or bool(missing(pa.array([value]))[0]):
        return "missing"
    if isinstance(value, str):
        return value.strip()
    number = float(_numbers(cells.plain(pa.array([value])), state.form)[0])
    if not np.isfinite(number):
        return str(value)
    return state.form.write(number, 0 if state.whole and number == int(number) else state.digits)


def sample(count: int, seed: int) -> pa.Array:
    """Make prices, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    prices = np.round(generator.lognormal(4.0, 1.0, count), 2)
    return pa.array(prices, mask=generator.random(count) < 0.05)
