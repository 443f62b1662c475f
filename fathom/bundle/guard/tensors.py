"""Weights are looked at before the safetensors library is: a header by our own, narrower rules, and numbers that are finite.

The library accepts a key that stands twice, a header that does not begin with ``{``, any name and any count of tensors (measured on safetensors 0.8.0); these rules do not.
Source of the layout: https://huggingface.co/docs/safetensors, "Format".
"""

import re
from math import prod
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fathom.bundle.guard.strict_json import parse
from fathom.errors import BundleError

MOST_TENSORS = 20_000
MOST_HEADER = 1 << 23  # bytes
MOST_AXES = 8
KINDS = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*")
LONGEST_NAME = 256
# Arrays of simpler models in which a number may be missing or without bound: a threshold that none passes, a reference row with a gap.
UNBOUNDED = ("split.threshold", "reference", "set.member")


def check(content: bytes, file: str) -> None:
    """Raise BundleError, naming ``file`` and the tensor, unless these are the bytes of weights as Fathom writes them."""
    if len(content) < 8:
        _refuse(file, "is too short to have a header")
    size = int.from_bytes(content[:8], "little")
    if not 2 <= size <= min(MOST_HEADER, len(content) - 8):
        _refuse(file, f"claims a header of {size:,} bytes")
    header = content[8 : 8 + size]
    if header[:1] != b"{":
        _refuse(file, "has a header that does not begin with '{'")
    if header.count(b'"data_offsets"') > MOST_TENSORS:
        _refuse(file, f"holds more than {MOST_TENSORS:,} tensors")
    tensors = parse(header.rstrip(b" "), file)
    if not isinstance(tensors, dict):
        _refuse(file, "has a header that is no object")
    end = 0
    data = memoryview(content)[8 + size :]
    ranges = sorted((_range(name, entry, file), name) for name, entry in tensors.items())
    for (start, stop), name in ranges:
        if start != end:
            _refuse(file, f"leaves a hole or an overlap before the tensor {name!r}")
        if stop > len(data):
            _refuse(file, f"ends before the tensor {name!r} does")
        end = stop
        _check_finite(name, np.frombuffer(data[start:stop], KINDS[tensors[name]["dtype"]]), file)
    if end != len(data):
        _refuse(file, f"has {len(data) - end:,} bytes after its last tensor")


def _range(name: str, entry: Any, file: str) -> tuple[int, int]:
    """Return where a tensor's bytes are."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME or ".." in name:
        _refuse(file, f"names a tensor {name[:80]!r}, where letters, digits, '_', '.', '-' and '/' between are names")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(file, f"does not say what the tensor {name!r} is")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in KINDS:
        _refuse(file, f"says that the tensor {name!r} is of the kind {str(kind)[:40]!r}")
    if not _whole(shape) or len(shape) > MOST_AXES or not _whole(offsets) or len(offsets) != 2:
        _refuse(file, f"does not say how large the tensor {name!r} is")
    start, stop = offsets
    if stop - start != prod(shape) * np.dtype(KINDS[kind]).itemsize:
        _refuse(file, f"gives the tensor {name!r} {stop - start:,} bytes, which its shape {shape} does not need")
    return start, stop


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 1 << 62 for number in numbers)


def _check_finite(name: str, values: npt.NDArray[Any], file: str) -> None:
    if values.dtype.kind == "f" and not name.endswith(UNBOUNDED) and not np.isfinite(values).all():
        _refuse(file, f"holds numbers in {name!r} that are not finite")


def _refuse(file: str, what: str) -> NoReturn:
    raise BundleError(f"{file} {what}. Copy the bundle again, whole.", file=file)
