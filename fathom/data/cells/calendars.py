"""How dates and times are written in text, found from a column and read back as days since 1970."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import values as cells

Days = npt.NDArray[
    np.float64
]  # (row,), days since 1970-01-01T00:00 UTC with the fraction of the day; NaN where there is none
Whole = npt.NDArray[np.int64]

LOOK = 20_000  # cells looked at to find how a column's dates are written
MOST_FORMATS = 3  # that one column may mix
FIRST, END = -719_162.0, 2_932_897.0  # 0001-01-01, 10000-01-01: a number that lies outside is no date
PER_DAY = {"s": 86_400.0, "ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_YEAR, _YEAR_OR_TWO_DIGITS = r"(?P<year>\d{4})", r"(?P<year>\d{4}|\d{2})"
_MONTH, _DAY = r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_NAME = r"(?P<name>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"
_HOUR = r"(?P<hour>\d{1,2})"
_MINUTE = r":(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
_ZONE = r"\s*(?P<half>(?i:[ap]\.?m\.?))?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
ISO = "year-month-day"
CLOCK = "hour:minute"

# In the order in which they are believed where a column can be read by several: a column of slashes without any number above 12
# is read with the month first, as in the United States and in most software; one of dots or dashes with the day first.
FORMATS: dict[str, str] = {
    ISO: rf"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}",
    "day.month.year": rf"{_DAY}\.\s?{_MONTH}\.\s?{_YEAR_OR_TWO_DIGITS}",
    "month/day/year": rf"{_MONTH}/{_DAY}/{_YEAR_OR_TWO_DIGITS}",
    "day/month/year": rf"{_DAY}/{_MONTH}/{_YEAR_OR_TWO_DIGITS}",
    "day-month-year": rf"{_DAY}-{_MONTH}-{_YEAR_OR_TWO_DIGITS}",
    "month-day-year": rf"{_MONTH}-{_DAY}-{_YEAR_OR_TWO_DIGITS}",
    "day month-name year": rf"(?:[A-Za-z]{{3,9}},?\s+)?{_DAY}(?:st|nd|rd|th)?[ ./-]*{_NAME}[ ,./-]+{_YEAR_OR_TWO_DIGITS}",
    "month-name day year": rf"(?:[A-Za-z]{{3,9}},?\s+)?{_NAME}\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}",
    "year month-name": rf"{_YEAR}[ -]{_NAME}",
    "year-month": rf"{_YEAR}[-/]{_MONTH}",
    "yearmonthday": r"(?P<year>(?:1[5-9]|2[01])\d{2})(?P<month>\d{2})(?P<day>\d{2})",
    CLOCK: rf"{_HOUR}{_MINUTE}{_ZONE}",
}
_RIVALS = (("month/day/year", "day/month/year"), ("day-month-year", "month-day-year"))


@dataclass(frozen=True)
class Found:
    """How a column writes its dates; ``doubt`` says what was decided where the cells left it open, or is empty."""

    formats: tuple[str, ...]
    doubt: str = ""


def parse(text: pa.Array, formats: Sequence[str]) -> Days:
    """Return the days since 1970 of each cell ``(row,)``, with zones reckoned to UTC; NaN where there is no date.

    A cell is read by the first of the formats that it fits. A time alone is the fraction of a day.

    >>> parse(pa.array(["1970-01-03 12:00", "31.02.1970"]), ("year-month-day", "day.month.year")).tolist()
    [2.5, nan]
    """
    if tuple(formats) == (ISO,) and (days := _standard(text)) is not None:
        return days
    encoded = cells.encoded_once(text)  # dates repeat
    distinct = pc.utf8_trim_whitespace(encoded.dictionary.cast(pa.large_string()))
    days = np.full(len(distinct) + 1, np.nan)
    left = np.arange(len(distinct))
    for name in formats:
        if len(left):
            days[left] = _read(distinct.take(pa.array(left)), name)
            left = left[np.isnan(days[left])]
    return days[cells.places_in(encoded)]


def _standard(text: pa.Array) -> Days | None:
    """Read the cells the fast way if all are of the one standard form, or missing; else return None."""
    for words in (("",), cells.MISSING_WORDS):
        empty = pc.equal(text, "") if words == ("",) else pa.array(cells.missing_mask(text, words))
        try:
            return _since_1970(pc.if_else(empty, pa.scalar(None, text.type), text).cast(pa.timestamp("us")))
        except pa.ArrowInvalid:
            continue
    return None


def _read(text: pa.Array, name: str) -> Days:
    clock = "" if name == CLOCK else rf"(?:(?:T|,?\s+){_HOUR}(?:{_MINUTE})?{_ZONE})?"
    fields = pc.extract_regex(text, f"^{FORMATS[name]}{clock}$")
    if fields.null_count == len(text):
        return np.full(len(text), np.nan)
    midnight, is_date = _date(fields)
    microseconds, is_time = _time(fields)
    days = (midnight * 86_400_000_000 + microseconds) / PER_DAY["us"]  # as the fast way reckons, to the last bit
    return np.where(is_date & is_time & cells.as_mask(fields.is_valid()), days, np.nan)


def _whole(fields: pa.StructArray, name: str, otherwise: int) -> Whole:
    """Return one field of a pattern as whole numbers ``(row,)``, and ``otherwise`` where it is absent."""
    if fields.type.get_field_index(name) < 0:
        return np.full(len(fields), otherwise)
    digits = pc.struct_field(fields, name)
    digits = pc.if_else(pc.equal(digits, ""), pa.scalar(None, digits.type), digits).cast(pa.int64())
    return np.asarray(digits.fill_null(otherwise).to_numpy(zero_copy_only=False), np.int64)


def _date(fields: pa.StructArray) -> tuple[Whole, cells.Mask]:
    """Return the days from 1970 to each date, and where there is such a date."""
    year, month, day = _whole(fields, "year", 1970), _whole(fields, "month", 1), _whole(fields, "day", 1)
    if fields.type.get_field_index("name") >= 0:
        first = pc.utf8_lower(pc.utf8_slice_codeunits(pc.struct_field(fields, "name"), 0, 3))
        found = pc.index_in(first, pa.array(MONTHS, first.type)).fill_null(-1)
        month = np.asarray(found.to_numpy(zero_copy_only=False), np.int64) + 1
    if fields.type.get_field_index("year") >= 0:  # of two digits: 69 is 1969 and 68 is 2068, as POSIX has it
        short = cells.as_mask(pc.equal(pc.utf8_length(pc.struct_field(fields, "year")), 2))
        year = np.where(short, year + np.where(year < 69, 2000, 1900), year)
    possible = (month >= 1) & (month <= 12)
    start = np.where(possible, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
    first_day, next_first_day = (start + step for step in (0, 1))
    midnight = first_day.astype("M8[D]").astype(np.int64)
    length = next_first_day.astype("M8[D]").astype(np.int64) - midnight
    return midnight + day - 1, possible & (day >= 1) & (day <= length)


def _time(fields: pa.StructArray) -> tuple[Whole, cells.Mask]:
    """Return the microseconds from midnight UTC to each time, and where there is such a time."""
    hour, minute, second = (_whole(fields, name, 0) for name in ("hour", "minute", "second"))
    if fields.type.get_field_index("hour") < 0:
        return hour, np.ones(len(fields), np.bool_)
    half = pc.utf8_lower(pc.utf8_slice_codeunits(pc.struct_field(fields, "half"), 0, 1))
    evening = cells.as_mask(pc.equal(half, "p"))
    halved = evening | cells.as_mask(pc.equal(half, "a"))
    possible = (minute <= 59) & (second <= 60) & np.where(halved, (hour >= 1) & (hour <= 12), hour <= 23)
    hour = np.where(halved, hour % 12 + 12 * evening, hour)
    fraction = pc.fill_null(pc.struct_field(fields, "fraction"), "")
    six = pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6)
    micro = np.asarray(six.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    seconds = hour * 3600 + minute * 60 + second - _zone_minutes(pc.struct_field(fields, "zone")) * 60
    return seconds * 1_000_000 + micro, possible


def _zone_minutes(zone: pa.Array) -> Whole:
    """Return the minutes by which a zone such as ``+05:30``, ``-08`` or ``Z`` is ahead of UTC."""
    digits = pc.replace_substring_regex(pc.fill_null(zone, ""), "[A-Z:]", "")
    digits = pc.if_else(pc.equal(digits, ""), pa.scalar("+0000", digits.type), digits)
    digits = pc.replace_substring(pc.utf8_rpad(digits, 5, "0"), "+", "")
    offset = np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    return np.asarray(np.sign(offset) * (np.abs(offset) // 100 * 60 + np.abs(offset) % 100), np.int64)


def _since_1970(moments: pa.Array) -> Days:
    kind = moments.type
    numbers = moments.cast(pa.int64()) if not pa.types.is_date32(kind) else moments.cast(pa.int32()).cast(pa.int64())
    per_day = 1.0 if pa.types.is_date32(kind) else PER_DAY["ms" if pa.types.is_date64(kind) else kind.unit]
    return np.asarray(numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64) / per_day


def is_moment(values: pa.Array) -> bool:
    """Say whether plain values are dates, timestamps or times of the day."""
    return bool(pa.types.is_date(values.type) or pa.types.is_timestamp(values.type) or pa.types.is_time(values.type))


def days_of(values: pa.Array, formats: Sequence[str]) -> Days:
    """Return the days since 1970 of cells of any type ``(row,)``: typed moments, or words in one of the formats."""
    values = cells.plain(values)
    if not is_moment(values):
        return parse(cells.words_of(values), formats)
    if pa.types.is_time(values.type):
        values = values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64()).cast(
            pa.duration(values.type.unit)
        )
    days = _since_1970(values)
    return np.where((days >= FIRST) & (days < END), days, np.nan)


def find_formats(text: pa.Array) -> Found:
    """Find in which formats a column's dates are written; none where fewer than half of its cells are dates.

    At most three formats are mixed, and never two that would read one cell in two ways.
    """
    text = pc.utf8_trim_whitespace(cells.evenly(text.drop_null().cast(pa.large_string()), LOOK))
    few = cells.evenly(text, 200)
    likely = [name for name in FORMATS if 2 * np.isfinite(parse(few, (name,))).sum() >= max(len(few), 1)]
    if not likely:
        return Found(())
    read = {name: np.isfinite(parse(text, (name,))) for name in likely}
    best = max(likely, key=lambda name: int(read[name].sum()))  # the first of equals
    formats, left = [best], ~read[best]
    rivals = {one: other for pair in _RIVALS for one, other in (pair, pair[::-1])}
    rival = rivals.get(best, "")
    while left.any() and len(formats) < MOST_FORMATS:
        open_to = [
            name for name in FORMATS if name not in (*formats, *(rivals.get(name, "") for name in formats), CLOCK)
        ]
        cells_left = text.filter(pa.array(left))
        counts = [int(np.isfinite(parse(cells_left, (name,))).sum()) for name in open_to]
        if not open_to or not max(counts):
            break
        formats.append(open_to[int(np.argmax(counts))])
        left = np.isnan(parse(text, formats))
    doubt = ""
    if rival in read and (read[rival] == read[best]).all():
        first = text[int(np.argmax(read[best]))].as_py()
        doubt = f"no number above 12 says which is the day, so {first!r} is read as {best}"
    return Found(tuple(formats), doubt)


def as_values(days: Days, kind: pa.DataType) -> pa.Array:
    """Return days since 1970 (no NaN) as moments of this type, or as ISO text for any other type."""
    if pa.types.is_date32(kind):
        return pa.array(np.floor(days).astype(np.int32)).cast(kind)
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind) or pa.types.is_time(kind):
        unit = "ms" if pa.types.is_date64(kind) else kind.unit
        steps = np.rint((np.floor(days) if pa.types.is_date64(kind) else days) * PER_DAY[unit])
        steps = np.clip(steps, -(2.0**62), 2.0**62)  # nanoseconds reach no farther than the year 2262
        if pa.types.is_time(kind):
            steps = np.clip(steps, 0, PER_DAY[unit] - 1)
        return pa.array(steps.astype(np.int32 if kind.bit_width == 32 else np.int64)).cast(kind)
    moments = pa.array(np.rint(days * PER_DAY["s"]).astype(np.int64)).cast(pa.timestamp("s"))
    text = moments.cast(pa.large_string())
    if not len(days) or (days == np.floor(days)).all():
        return pc.utf8_slice_codeunits(text, 0, 10)
    return pc.utf8_slice_codeunits(text, 11) if ((days >= 0) & (days < 1)).all() else text
