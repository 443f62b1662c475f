"""Writes a table or a text, whole or not at all."""

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from fathom.data.columns import first_line
from fathom.data.files.finding import find
from fathom.data.files.json_writing import put_json_lines
from fathom.data.table import Table
from fathom.errors import OptionError, OutputError, suggestion

ENDINGS = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".jsonl", ".ndjson")
_PACKED = {".gz": "gzip", ".zst": "zstd"}


def write(table: Table, target: str | Path) -> None:
    """Write a table as CSV, TSV, JSON lines, Parquet or Arrow, by the ending of ``target``; ``"-"`` is standard output, as CSV.

    Text may be packed: ``.csv.gz``, ``.jsonl.zst``. In CSV and TSV every string is quoted, so that it reads back as it is
    and no spreadsheet sees a bare formula; null is nothing between two delimiters. In JSON lines, NaN and the
    infinities, which JSON does not have, are null.

    A file is written under another name beside ``target`` and then renamed, so that it is there whole or not at all, and
    an old one stays until then.

    Raises OptionError when the ending is unknown, OutputError when the target cannot be written or a column has a type
    that the format cannot hold.
    """
    write_blocks(iter([table]), target)


def write_blocks(tables: Iterator[Table], target: str | Path) -> None:
    """Write tables of the same columns, at least one, end to end as `write` does one; each is asked for when the one before is written."""
    path = Path(target)
    standard = str(target) == "-"
    packing = None if standard else _PACKED.get(path.suffix.lower())
    ending = ".csv" if standard else (Path(path.stem) if packing else path).suffix.lower()
    if ending not in ENDINGS:
        if not _is_device(path):
            raise _unknown_ending(path, ending)
        ending = ".csv"
    first = next(tables)
    _check_types(first, ending, str(target))
    every = (table.arrow for table in chain([first], tables))
    schema = first.arrow.schema
    try:
        if standard:
            _put(every, schema, ending, packing, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            _into(path, lambda file: _put(every, schema, ending, packing, file))
    except OSError as error:
        raise cannot_write("standard output" if standard else path, error) from None
    except pa.ArrowException as error:
        raise OutputError(
            f"{target} cannot be written; nothing was left half-written. Arrow says: {first_line(error)}.",
            file=str(target),
        ) from None


def check_apart(target: str | Path, sources: Iterable[str]) -> None:
    """Raise OutputError where a file that is to be written is one of those that are read: what stood in it would be lost."""
    path = Path(target)
    if str(target) == "-" or not path.is_file():
        return
    for source in sources:
        for file in map(Path, find(source) if source != "-" else []):
            if file.exists() and file.samefile(path):
                raise OutputError(
                    f"{target} is the file that the rows are read from, and writing there would destroy it. Name another file.",
                    file=str(target),
                )


def write_text(text: str, target: str | Path) -> Path:
    """Write a text as UTF-8, whole or not at all, and return where.

    Raises OutputError when it cannot be written.
    """
    path = Path(target)
    try:
        _into(path, lambda file: file.write(text.encode("utf-8")))
    except OSError as error:
        raise cannot_write(path, error) from None
    return path


def cannot_write(path: str | Path, error: OSError, needed: int = 0) -> OutputError:
    """Return the error that says why a path cannot be written, and what to do; ``needed`` is in bytes."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = f" {needed / 1e6:.1f} MB are needed." if needed else ""
        advice = f"The disk is full.{need} Free some room, or name another place."
    elif error.errno == errno.EFBIG:
        advice = "The file would be larger than this system allows. Raise the limit, or name another place."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "You may not write there. Name another place, or change its permissions."
    elif error.errno == errno.ENOENT and not Path(path).parent.is_dir():
        advice = f"There is no folder {Path(path).parent}. Make it first, or name another place."
    elif error.errno == errno.EISDIR:
        advice = "It is a folder. Name a file in it."
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        advice = "A file stands where a folder is needed. Name another place."
    elif error.errno == errno.EPIPE:
        advice = "The program that read it has ended."
    else:
        advice = f"The system says: {error.strerror or error}."
    return OutputError(f"{path} cannot be written; nothing was left half-written. {advice}", file=str(path))


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _into(path: Path, put: Callable[[BinaryIO], object]) -> None:
    """Let ``put`` write a file beside ``path`` and rename it; devices and pipes are written straight to."""
    if _is_device(path):
        with path.open("wb") as file:
            put(file)
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    final = path.resolve()  # through a link, which stays
    beside = final.parent / f".fathom-{secrets.token_hex(8)}.part"  # short: the name may be as long as names can be
    try:
        with beside.open("xb") as file:
            put(file)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            shutil.copymode(final, beside)
        beside.replace(final)
    finally:
        beside.unlink(missing_ok=True)


def _put(tables: Iterator[pa.Table], schema: pa.Schema, ending: str, packing: str | None, file: Any) -> None:
    """Write the bytes of tables, end to end, in the format of an ending."""
    if packing is not None:
        copy = os.fdopen(os.dup(file.fileno()), "wb")  # the packing stream closes what it writes to
        with pa.CompressedOutputStream(copy, packing) as stream:
            _put(tables, schema, ending, None, stream)
    elif ending == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetWriter(file, schema) as writer:
            for table in tables:
                writer.write_table(table)
    elif ending in (".arrow", ".feather"):
        with pa.ipc.new_file(file, schema) as writer:
            for table in tables:
                writer.write_table(table)
    elif ending in (".jsonl", ".ndjson"):
        for table in tables:
            put_json_lines(table, file)
    else:
        from pyarrow import csv

        options = csv.WriteOptions(delimiter="\t" if ending == ".tsv" else ",")
        with csv.CSVWriter(file, schema, write_options=options) as writer:
            for table in tables:
                writer.write_table(table)


def _check_types(table: Table, ending: str, target: str) -> None:
    """Raise OutputError for a column that a text format has no way to write."""
    if ending in (".parquet", ".arrow", ".feather"):
        return
    for name, kind in zip(table.names, table.arrow.schema.types, strict=True):
        binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        if binary or (pa.types.is_nested(kind) and ending in (".csv", ".tsv")):
            better = ".parquet or .arrow" if binary else ".parquet, .arrow or .jsonl"
            raise OutputError(
                f"{target} cannot be written: column {name!r} is of type {kind}, which {ending[1:].upper()} cannot hold. "
                f"Write {better}, or leave the column out.",
                file=target,
                column=name,
            )


def _unknown_ending(path: Path, ending: str) -> OptionError:
    found = f"the ending {ending!r} is unknown" if ending else "its name has no ending"
    near = suggestion(ending, ENDINGS) if ending else ""
    return OptionError(f"{path} cannot be written: {found}.{near} The endings are {', '.join(ENDINGS)}.")


def _is_device(path: Path) -> bool:
    """Say whether the path is there and is a device or a pipe, onto which nothing can be renamed."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
