"""The worst that a table can hold, for suites that look whether anything breaks on it."""

import datetime
import decimal

import numpy as np
import pyarrow as pa

WORST_TEXT = (
    "1e400",
    "-1e400",
    "99999999999999999999",
    "inf",
    "nan",
    "",
    " ",
    "🙂",
    "a\0b",
    "\0",
    "שלום עולם",
    "a\nb",
    "31.02.2020",
    "%",
    "-",
    "+",
)


def hostile() -> dict[str, pa.Array]:
    """Return the worst that a table can hold, by name: each must be encoded, never NaN, never an error."""
    moments = pa.array([0, 2**63 - 1, -(2**63) + 1, None])
    return {
        "nulls without a type": pa.nulls(3),
        "null strings": pa.nulls(3, pa.string()),
        "null numbers": pa.nulls(3, pa.float64()),
        "no rows": pa.array([], pa.string()),
        "no rows of numbers": pa.array([], pa.float64()),
        "empty strings": pa.array(["", "", ""]),
        "strange strings": pa.array([*WORST_TEXT, None]),
        "a string of a megabyte": pa.array(["x" * 1_000_000, "9" * 1_000_000]),
        "floats without end": pa.array([np.inf, -np.inf, np.nan, 1.7e308, -1.7e308, 5e-324, None]),
        "small floats": pa.array(np.array([1.5, np.nan], np.float16)),
        "large whole numbers": pa.array([2**63 - 1, -(2**63), None]),
        "larger whole numbers": pa.array([2**64 - 1, 0], pa.uint64()),
        "decimals": pa.array([decimal.Decimal("99999999999999999999.50"), None]),
        "truths": pa.array([True, False, None]),
        "dates": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
        "days without end": pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32()),
        "moments without end": moments.cast(pa.timestamp("s")),
        "moments with a zone": moments.cast(pa.timestamp("us", "UTC")),
        "times": pa.array([datetime.time(23, 59, 59), None]),
        "durations": moments.cast(pa.duration("ns")),
        "a dictionary": pa.array(["yes", None, "3", "yes"]).dictionary_encode(),
        "views": pa.array(["yes", None, "3"]).cast(pa.string_view()),
        "lists": pa.array([[1], None, []]),
        "records": pa.array([{"a": 1}, None]),
        "bytes": pa.array([b"\xff\xfe", b"3", None]),
    }


__all__ = ["WORST_TEXT", "hostile"]
