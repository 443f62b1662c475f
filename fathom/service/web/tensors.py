"""Tensors as the Open Inference Protocol v2 has them: a name, a shape, a datatype, and data in JSON or as bytes behind it.

Sources: https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md), and NVIDIA Triton's extension for binary data
(docs/protocol/extension_binary_data.md), which `tritonclient` uses unless told not to.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.service.refusing import Refused

KINDS: Mapping[str, str] = {
    "BOOL": "|b1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BYTES = "BYTES"
MOST_AXES = 2


def cells_of(tensor: Any, place: int, binary: memoryview | None) -> list[Any]:
    """Return the cells of an input tensor, one a row. Raises Refused."""
    where = f"inputs[{place}]"
    kind = tensor.get("datatype")
    if not isinstance(kind, str) or (kind not in KINDS and kind != BYTES):
        raise Refused(400, f"one of these is expected: {', '.join((*KINDS, BYTES))}.", f"{where}.datatype")
    count = _count(tensor.get("shape"), where)
    if binary is not None:
        return _words(binary, count, where) if kind == BYTES else _numbers(binary, kind, count, where)
    data = tensor.get("data")
    if not isinstance(data, list):
        raise Refused(400, "a list is expected.", f"{where}.data")
    flat = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]
    if len(flat) != count:
        raise Refused(400, f"it has {len(flat):,} values, and the shape has {count:,}.", f"{where}.data")
    for row, each in enumerate(flat):
        if each is not None and not _fits(each, kind):
            raise Refused(400, f"the value is not {kind}.", f"{where}.data[{row}]")
    return flat


def _count(shape: Any, where: str) -> int:
    """Return the rows of a shape ``[row]`` or ``[row, 1]``."""
    sound = isinstance(shape, list) and 1 <= len(shape) <= MOST_AXES
    if not sound or not all(type(size) is int and 0 < size < 2**31 for size in shape) or math.prod(shape[1:]) != 1:
        raise Refused(400, "[rows] or [rows, 1] is expected.", f"{where}.shape")
    return int(shape[0])


def _fits(value: Any, kind: str) -> bool:
    if kind == BYTES:
        return isinstance(value, str)
    if kind == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind.startswith("FP"):
        return abs(value) <= float(np.finfo(KINDS[kind]).max)
    limits = np.iinfo(KINDS[kind])
    return isinstance(value, int) and limits.min <= value <= limits.max


def _numbers(binary: memoryview, kind: str, count: int, where: str) -> list[Any]:
    dtype = np.dtype(KINDS[kind])
    if len(binary) != count * dtype.itemsize:
        raise Refused(
            400, f"it has {len(binary):,} bytes, and {count:,} values of {kind} are {count * dtype.itemsize:,}.", where
        )
    if kind == "BOOL":
        return [byte != 0 for byte in binary]
    values: list[Any] = np.frombuffer(binary, dtype).tolist()
    if kind.startswith("FP"):  # a NaN is how arrays say that a value is not known
        values = [None if value != value else value for value in values]
        for row, value in enumerate(values):
            if value is not None and math.isinf(value):
                raise Refused(400, "the value is infinite.", f"{where}.data[{row}]")
    return values


def _words(binary: memoryview, count: int, where: str) -> list[Any]:
    """Return strings that each have their length before them; bytes that are no UTF-8 stay bytes."""
    found: list[Any] = []
    start = 0
    while start < len(binary) and len(found) < count:
        if start + 4 > len(binary):
            break
        (size,) = struct.unpack_from("<I", binary, start)
        start += 4
        if start + size > len(binary):
            break
        content = bytes(binary[start : start + size])
        start += size
        try:
            found.append(content.decode("utf-8"))
        except UnicodeDecodeError:
            found.append(content)
    if start != len(binary) or len(found) != count:
        raise Refused(400, f"the bytes do not hold {count:,} strings, each with its length before it.", where)
    return found


def output(name: str, values: Sequence[Any], binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return an output tensor of one value a row, and its bytes where they are wanted so.

    >>> output("price", [1.5, 2.0], False)
    ({'name': 'price', 'shape': [2], 'datatype': 'FP64', 'data': [1.5, 2.0]}, b'')
    """
    kind = kind_of(values)
    told: dict[str, Any] = {"name": name, "shape": [len(values)], "datatype": kind}
    if not binary:
        return {**told, "data": [str(value) for value in values] if kind == BYTES else list(values)}, b""
    content = _packed(values) if kind == BYTES else np.asarray(values, KINDS[kind]).tobytes()
    return {**told, "parameters": {"binary_data_size": len(content)}}, content


def kind_of(values: Sequence[Any]) -> str:
    """Return the datatype of values: BOOL, INT64, FP64, or BYTES for all else."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds and kinds <= {int, float} else BYTES


def _packed(values: Sequence[Any]) -> bytes:
    words = [str(value).encode() for value in values]
    return b"".join(struct.pack("<I", len(word)) + word for word in words)


Array = npt.NDArray[Any]
