"""How numbers are written in text: decimal and thousands marks, currency and per cent signs, found from a column and read back."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells.values import as_mask, evenly

Numbers = npt.NDArray[np.float64]  # (row,), NaN where there is none

LOOK = 20_000  # cells looked at to find how a column's numbers are written
BLANKS = " \u00a0\u2009\u202f"  # the blanks that stand between thousands: plain, no-break, thin, narrow no-break
CURRENCIES = "$€£¥₹₩₽₺₫฿₴₪₱"
CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|ZAR|kr|zł|Kč"
_DIGITS = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_SIGN = rf"(?:[{CURRENCIES}%]|{CODES})"


@dataclass(frozen=True)
class Form:
    """How a column writes numbers. A thousands mark, a prefix or a suffix may stand, and need not.

    >>> Form(decimal=",", thousands=".", suffix="%").write(1234.5, digits=2)
    '1.234,50 %'
    """

    decimal: str = "."
    thousands: str = ""  # "", ",", ".", "'", or " " for any of BLANKS
    prefix: str = ""
    suffix: str = ""

    def write(self, number: float, digits: int) -> str:
        """Write one finite number in this form, so that ``parse`` reads it back."""
        text = f"{abs(number):,.{digits}f}" if abs(number) < 1e15 else f"{abs(number):.{digits}e}"
        text = text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.thousands)
        blank = " " if self.suffix else ""
        sign = "-" if number < 0 and text.strip("0.,") else ""
        return f"{sign}{self.prefix}{' ' if self.prefix.isalpha() else ''}{text}{blank}{self.suffix}"

    @property
    def remarks(self) -> str:
        """What a reader should know of the form: ``decimal comma, '.' between thousands``; empty for plain numbers."""
        found = [
            "decimal comma" if self.decimal == "," else "",
            {"": "", " ": "blanks between thousands"}.get(self.thousands, f"{self.thousands!r} between thousands"),
            f"in {self.prefix or self.suffix}" if self.prefix or self.suffix else "",
        ]
        return ", ".join(filter(None, found))


PLAIN = Form()

# In the order in which they are believed where a column can be read by several: '1.234' is a little more than one, and '1,234'
# more than a thousand, until another cell of the column says otherwise.
_MARKS = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))


def pattern(form: Form) -> str:
    """Return the regular expression (RE2) that a stripped cell must match in full to be a number of this form."""
    sign, point = "[+−-]?", re.escape(form.decimal)
    groups = {"": "", " ": f"[{BLANKS}]", "'": "['’]"}.get(form.thousands, re.escape(form.thousands))
    grouped = [rf"[1-9]\d{{0,2}}(?:{groups}\d{{3}})+"] if groups else []
    if form.thousands == ",":
        grouped.append(r"[1-9]\d?(?:,\d{2})+,\d{3}")  # India's lakh and crore: 12,34,567
    whole = "(?:" + "|".join([*grouped, r"\d+"]) + ")" if grouped else r"\d+"
    number = rf"(?:(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?))"
    before = rf"{sign}\s*{re.escape(form.prefix)}\s*|{re.escape(form.prefix)}\s*{sign}|{sign}" if form.prefix else sign
    after = rf"(?:\s*{re.escape(form.suffix)})?" if form.suffix else ""
    return rf"^(?:{before}){number}{after}$"


def parse(text: pa.Array, form: Form = PLAIN) -> Numbers:
    """Return the number in each cell ``(row,)``, infinite where it is beyond float64, and NaN where there is none.

    >>> parse(pa.array(["1.234,5", "x", None]), Form(",", ".")).tolist()
    [1234.5, nan, nan]
    """
    text = text.cast(pa.large_string())
    if form == PLAIN:
        filled = pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
        try:  # the fast way, for columns without a single cell that is no number
            return _as_numpy(filled.cast(pa.float64()))
        except pa.ArrowInvalid:
            pass
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.match_substring_regex(text, pattern(form)), text, pa.scalar(None, text.type))
    for sign in (form.prefix, form.suffix, *({" ": BLANKS, "'": "'’"}.get(form.thousands, form.thousands))):
        if sign:
            text = pc.replace_substring(text, sign, "")
    if form.prefix or form.suffix:  # blanks beside the sign that is gone
        text = pc.replace_substring_regex(text, r"\s+", "")
    if form.decimal != ".":
        text = pc.replace_substring(text, form.decimal, ".")
    return _as_numpy(pc.replace_substring(text, "−", "-").cast(pa.float64()))


def plain_number(cell: Any, form: Form) -> float | None:
    """Return the number of one text cell that is digits and at most a point, which `parse` reads alike and a hundred times slower; None of every other.

    >>> plain_number("-12.5", PLAIN), plain_number("12,5", PLAIN), plain_number("1.234", Form(",", "."))
    (-12.5, None, None)
    """
    return float(cell) if cell.__class__ is str and form.decimal == "." and _DIGITS.fullmatch(cell) else None


def _as_numpy(numbers: pa.Array) -> Numbers:
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)


def find_form(text: pa.Array) -> Form:
    """Find how a column writes its numbers, from all cells that are not plain numbers and a share of those that are.

    The form that reads most cells is taken; of equals the first in the order of ``_MARKS``, so '1,234' is 1234 where every comma
    of the column is followed by three digits.
    """
    text = pc.utf8_trim_whitespace(text.drop_null().cast(pa.large_string()))
    if not np.isnan(parse(evenly(text, LOOK))).any() and not np.isnan(parse(text)).any():
        return PLAIN
    odd = text.filter(pc.invert(pc.match_substring_regex(text, pattern(PLAIN))))
    cells = pa.concat_arrays([evenly(text, LOOK // 2), evenly(odd, LOOK // 2)])
    prefix, suffix = _affix(cells, rf"^[+−-]?\s*(?P<sign>{_SIGN})"), _affix(cells, rf"(?P<sign>{_SIGN})$")
    forms = [Form(decimal, thousands, prefix, suffix) for decimal, thousands in _MARKS]
    read = [int((~np.isnan(parse(cells, form))).sum()) for form in forms]
    return forms[int(np.argmax(read))]


def is_torn(text: pa.Array, form: Form) -> bool:
    """Say whether a column's commas could as well be decimal commas, so that the user should hear how they were read."""
    if form.thousands != ",":
        return False
    cells = pc.utf8_trim_whitespace(evenly(text.drop_null().cast(pa.large_string()), LOOK))
    other = Form(",", "", form.prefix, form.suffix)
    return bool((np.isnan(parse(cells, form)) == np.isnan(parse(cells, other))).all())


def _affix(cells: pa.Array, expression: str) -> str:
    """Return the sign that stands on at least half of the cells, or an empty string."""
    signs = pc.extract_regex(cells, expression).drop_null()
    if not len(signs) or 2 * len(signs) < len(cells):
        return ""
    counts = pc.value_counts(pc.struct_field(signs, "sign"))
    return str(counts[int(np.argmax(counts.field("counts")))]["values"].as_py())


def write_column(numbers: Numbers, form: Form, digits: int) -> pa.Array:
    """Write finite numbers ``(row,)`` in a form without thousands marks, null where there is none (NaN)."""
    missing = pa.array(np.isnan(numbers))
    small = np.abs(numbers) < 1e15
    numbers = np.where(small, np.round(np.where(small, numbers, 0.0), digits), np.nan_to_num(numbers))
    text = pa.array(numbers).cast(pa.large_string())
    if form.decimal != ".":
        text = pc.replace_substring(text, ".", form.decimal)
    text = pc.binary_join_element_wise(
        pa.scalar(form.prefix, text.type), text, pa.scalar(form.suffix, text.type), pa.scalar("", text.type)
    )
    return pc.if_else(missing, pa.scalar(None, text.type), text)


def count_digits(numbers: Numbers, tolerance: float = 1e-12, most: int = 6) -> int:
    """Return how many decimals the finite numbers have, at most ``most``; ``tolerance`` is relative.

    >>> count_digits(np.array([1.5, 2.25]))
    2
    """
    numbers = numbers[np.abs(numbers) < 1e15]  # those above are whole
    for digits in range(most):
        if bool((np.abs(np.round(numbers, digits) - numbers) <= tolerance * np.abs(numbers)).all()):
            return digits
    return most


def significant_digits(spread: float, most: int = 6) -> int:
    """Return the decimals at which a hundredth of the spread can be seen.

    >>> significant_digits(1.2), significant_digits(5000.0)
    (2, 0)
    """
    return min(max(math.ceil(-math.log10(spread / 100)), 0), most) if spread > 0 else 0


def whole_cells(text: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that are digits alone."""
    return as_mask(pc.match_substring_regex(pc.utf8_trim_whitespace(text), r"^[+-]?\d+$"))
