"""How quantities are written for people, in reports and terminals: numbers, shares, times and sizes.

Every function takes what ``result.json`` holds, ``None`` and numbers that are not finite included. A space between a
number and its unit never breaks.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

NOTHING = "–"
SPACE = "\u00a0"
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: Any) -> float | None:
    """Return a number that can be drawn, or ``None``; beyond 1e300 sums and differences would overflow.

    >>> finite(3), finite(float("nan")), finite(None), finite("7")
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = float(value)
    return number if abs(number) < 1e300 else None


def number(value: Any, digits: int = 4) -> str:
    r"""Write a number with about ``digits`` significant digits.

    >>> number(1234), number(0.871249), number(-12.3456), number(48213.7), number(6.5), number(None)
    ('1,234', '0.8712', '−12.35', '48,214', '6.5', '–')
    >>> number(3.2e-7)
    '3.2\xa0×\xa010⁻⁷'
    """
    known = finite(value)
    if known is None:
        return NOTHING
    if _needs_exponent(known):
        return _exponent(known)
    if known == int(known):
        return _minus(f"{int(known):,}")
    return _minus(_strip(f"{known:,.{_decimals(abs(known), digits)}f}"))


def significant(value: float, digits: int = 3) -> str:
    """Write a number in a sentence: its first ``digits``, all of them before the point, and no exponent where people use none.

    >>> significant(2834.2), significant(999.7), significant(0.5601), significant(-12.34), significant(3.2e-7), significant(1234567.0, 4)
    ('2,834', '1,000', '0.56', '-12.3', '3.2e-07', '1,234,567')
    """
    if 10**digits - 0.5 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def together(values: Sequence[Any], digits: int = 4, *, like: float | None = None) -> tuple[str, ...]:
    """Write numbers that belong together with equally many decimals: as many as ``like``, or the largest, needs.

    From a hundred million on they are written in millions (M), billions (B) or trillions (T).

    >>> together([706_230_000, 95_000_000]), together([-0.31, -0.00001])
    (('706.2M', '95.0M'), ('−0.3100', '0.0000'))
    >>> together([0.8712, 0.85, 0.8901]), together([0.5, None]), together([0.0385], like=0.94)
    (('0.8712', '0.8500', '0.8901'), ('0.5000', '–'), ('0.0385',))
    """
    known = [finite(value) for value in values]
    largest = max((abs(value) for value in known if value is not None), default=0.0) if like is None else abs(like)
    if _needs_exponent(largest):
        return tuple(number(value, digits) for value in values)
    unit, letter = next(((unit, letter) for unit, letter in _UNITS if largest >= 1e8 and largest >= unit), (1.0, ""))
    decimals = _decimals(largest / unit, digits)
    return tuple(NOTHING if value is None else _minus(f"{value / unit:,.{decimals}f}{letter}") for value in known)


def interval(low: str, high: str) -> str:
    """Write an interval from its written ends; nothing where an end is not known.

    >>> interval("0.85", "0.89"), interval("−0.02", "0.04"), interval("–", "0.04")
    ('0.85–0.89', '−0.02 to 0.04', '')
    """
    if NOTHING in (low, high):
        return ""
    return f"{low} to {high}" if "−" in low + high else f"{low}–{high}"


def plain(value: float) -> str:
    """Write a number as a table's cell holds it: no separators, for it may be a year or a code.

    >>> plain(1984), plain(0.1 + 0.2), plain(-2.5), plain(1e-9)
    ('1984', '0.3', '−2.5', '1e−09')
    """
    known = finite(value)
    if known is None:
        return NOTHING
    return _minus(str(int(known)) if known == int(known) and abs(known) < 1e15 else f"{known:.6g}")


def compact(value: float) -> str:
    """Write a tick of an axis as briefly as its digits allow.

    >>> [compact(value) for value in (0.25, 1500.0, 20000.0, 1.5e6, -3e9, 0.0)]
    ['0.25', '1,500', '20k', '1.5M', '−3B', '0']
    """
    if _needs_exponent(value):
        return _exponent(value)
    for unit, letter in _UNITS:
        if abs(value) >= max(unit, 1e4):
            return _minus(f"{value / unit:,.10g}") + letter
    return _minus(f"{value:,.10g}")


def count(value: Any) -> str:
    """Write a whole number.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    known = finite(value)
    return NOTHING if known is None else _minus(f"{round(known):,}")


def counted(value: int, word: str, words: str = "") -> str:
    """Write a count with its word in a sentence; ``words`` is for several, where an s is not enough.

    >>> counted(1, "test row"), counted(1200, "test row"), counted(2, "such cell was", "such cells were")
    ('1 test row', '1,200 test rows', '2 such cells were')
    """
    return f"{value:,} {word if value == 1 else words or word + 's'}"


def share(value: Any) -> str:
    r"""Write a share of 1 as per cent; what is not all is never shown as all, what is not nothing never as nothing.

    >>> share(0.1234), share(0.9999), share(1)
    ('12.3\xa0%', '>\xa099.9\xa0%', '100\xa0%')
    """
    known = finite(value)
    if known is None:
        return NOTHING
    if 0.999 < known < 1:
        return f">{SPACE}99.9{SPACE}%"
    if 0 < known < 0.001:
        return f"<{SPACE}0.1{SPACE}%"
    return _minus(f"{_strip(f'{100 * known:,.1f}')}{SPACE}%")


def seconds(value: Any) -> str:
    r"""Write a length of time.

    >>> seconds(0.00045), seconds(3.21), seconds(125), seconds(4321)
    ('450\xa0µs', '3.2\xa0s', '2\xa0min\xa05\xa0s', '1\xa0h\xa012\xa0min')
    """
    known = finite(value)
    if known is None or known < 0:
        return NOTHING
    for limit, unit, name in ((1e-6, 1e-9, "ns"), (1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (59.5, 1.0, "s")):
        if 0 < known < limit * 0.9995 or (name == "s" and known < limit):
            return f"{_short(known / unit)}{SPACE}{name}"
    minutes, rest = divmod(round(known), 60)
    if minutes < 60:
        return _pair(minutes, "min", rest, "s")
    hours, rest = divmod(round(known / 60), 60)
    return _pair(hours, "h", rest, "min")


def size(value: Any) -> str:
    r"""Write a number of bytes, in thousands.

    >>> size(812), size(1_400_000), size(999_999)
    ('812\xa0bytes', '1.4\xa0MB', '1\xa0MB')
    """
    known = finite(value)
    if known is None or known < 0:
        return NOTHING
    if known < 999.5:
        return f"{round(known)}{SPACE}bytes"
    for unit, name in ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")):
        if known < unit * 999.5 or name == "TB":
            break
    return f"{_short(known / unit)}{SPACE}{name}"


def times(ratio: float) -> str:
    """Write how many times.

    >>> times(38.2), times(4.21), times(1234)
    ('38', '4.2', '1,234')
    """
    return _short(ratio)


def _pair(first: int, name: str, second: int, other: str) -> str:
    head = f"{first:,}{SPACE}{name}"
    return f"{head}{SPACE}{second}{SPACE}{other}" if second else head


def _needs_exponent(value: float) -> bool:
    return value != 0 and not 1e-4 <= abs(value) < 1e13


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{_minus(_strip(mantissa))}{SPACE}×{SPACE}10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def _decimals(size: float, digits: int) -> int:
    """Decimals that show ``digits`` significant digits; numbers below 0.1 get no more than two extra."""
    whole = math.floor(math.log10(size)) + 1 if size > 0 else 0
    return max(0, min(digits - max(whole, -2), digits + 2))


def _short(value: float) -> str:
    return _strip(f"{value:,.1f}") if value < 9.95 else f"{value:,.0f}"


def _strip(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _minus(text: str) -> str:
    """Write a true minus sign, and none in front of what was rounded to zero."""
    return text.replace("-", "−") if text.strip("-0.") else text.lstrip("-")
