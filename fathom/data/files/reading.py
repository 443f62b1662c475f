"""Reads a table from files, the standard input or a frame, and remembers where each row came from."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa

from fathom.data.columns import one_chunk, shortened
from fathom.data.files.archives import open_archive
from fathom.data.files.finding import ByteStream, Content, check_unchanged, find, open_file, open_stream
from fathom.data.files.folders import is_folder, listing, read_folder, with_media
from fathom.data.files.frames import read_columns, read_frame, read_rows
from fathom.data.files.json_lines import read_json_lines
from fathom.data.files.signatures import is_arrow_file, is_arrow_stream, is_parquet, stranger
from fathom.data.files.text_files import BadRows, read_text
from fathom.data.files.typed_files import read_typed
from fathom.data.table import Table
from fathom.errors import OptionError, TableError, suggestion

_TYPED_ENDINGS = {".parquet": "Parquet (PAR1)", ".arrow": "Arrow (ARROW1)", ".feather": "Feather (ARROW1)"}
_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")


@runtime_checkable
class Frame(Protocol):
    """A table of pandas, polars, Arrow or any other library that speaks Arrow's C stream."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand over the rows."""
        ...


def read(
    source: object,
    *,
    bad_rows: BadRows = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    empty: bool = False,
) -> Table:
    """Read a table.

    ``source`` is a path, a glob (``"data/*.csv"``), a list of paths to files with the same columns, ``"-"`` for the
    standard input, a binary stream, a pandas, polars or Arrow table, a dictionary of columns, a list of rows as
    dictionaries, or a Table, which is returned as it is. A folder, a zip or a tar of pictures, recordings, videos or texts is a table of them
    (`fathom.data.files.folders`); a text column of paths to such files, relative to the table, becomes the files that it names.

    Files are CSV, TSV and their kin, JSON lines, Parquet, Arrow and Feather; text also compressed by gzip or zstd. Their
    first bytes tell the format, and their name where those cannot. Text tables come as strings, exactly as they
    stand; typed files keep their types. How a file was understood stands in ``Table.decisions``.

    ``bad_rows``: ``"error"`` stops at a row with too many or too few cells, ``"skip"`` leaves such rows out and lists
    them in ``Table.skipped``. ``delimiter``, ``encoding`` and ``header`` (whether the first line holds names) are
    found when they are not given. ``empty``: columns without rows are a table, too.

    Raises TableError, which names file and line, when the source holds no such table; OptionError when an option is
    unknown or has no meaning for the source.

    >>> read({"age": ["41", "38"], "job": ["nurse", "cook"]}).where(1)
    'row 2'
    """
    if bad_rows not in ("error", "skip"):
        near = suggestion(str(bad_rows), ("error", "skip"))
        raise OptionError(f"bad_rows={bad_rows!r} is unknown.{near} It is 'error' or 'skip'.")
    given = how_written(delimiter, encoding, header)
    files = named_files(source)
    if files is not None:
        return joined([_read_file(file, bad_rows, given, empty) for file in files])
    if isinstance(source, ByteStream):
        return _read_content(open_stream(source), bad_rows, given, empty)
    _refuse(given, "a table in memory")
    if isinstance(source, Table):
        return source
    if isinstance(source, dict):
        return with_media(read_columns(source, empty), None)
    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        return with_media(read_rows(source, empty), None)
    if isinstance(source, Frame):
        return with_media(read_frame(source, empty), None)
    raise TableError(
        f"A table cannot be read from {type(source).__module__}.{type(source).__qualname__}. Give a path, a list of paths, "
        "a binary stream, a pandas, polars or Arrow table, a dictionary of columns, or a list of rows as dictionaries."
    )


def named_files(source: object) -> list[str] | None:
    """Return the files that a path, a glob or a list of them names, or None when the source is something else."""
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        return [name] if name == "-" else find(name)
    if isinstance(source, list | tuple) and source and all(isinstance(item, str | os.PathLike) for item in source):
        return [file for item in source for file in (named_files(item) or [])]
    return None


def opened(file: str) -> Content:
    """Open a file, or the standard input as ``-``. Raises TableError when it cannot be read."""
    if file != "-":
        return open_file(file)
    if sys.stdin is None:
        raise TableError("There is no standard input to read. Give a file instead of '-'.")
    return open_stream(sys.stdin.buffer)


def _read_file(file: str, bad_rows: BadRows, given: dict[str, Any], empty: bool) -> Table:
    """Read a table from a file, or from a folder or an archive: the table that it holds, or its files."""
    if file == "-" or not is_folder(file):
        table = _read_content(opened(file), bad_rows, given, empty)
        return with_media(table, os.path.dirname(file) or ".") if file != "-" else table  # noqa: PTH120
    tables = listing(file).tables
    if len(tables) != 1:
        if tables and not listing(file).names:
            opened(file)  # raises: a folder of tables is not one of them
        return read_folder(file)
    if os.path.isdir(file):  # noqa: PTH112  (by its bytes: a name need not be valid UTF-8)
        return with_media(_read_content(opened(os.path.join(file, tables[0])), bad_rows, given, empty), file)  # noqa: PTH118
    try:
        member = io.BytesIO(open_archive(file).read(tables[0]))
    except (ValueError, OSError) as error:
        raise TableError(f"{file}: its table {tables[0]} cannot be read: {error}.", file=file) from None
    member.name = f"{file}/{tables[0]}"
    return with_media(_read_content(open_stream(member), bad_rows, given, empty), file)


def _read_content(content: Content, bad_rows: BadRows, given: dict[str, Any], empty: bool) -> Table:
    try:
        table = _by_format(content, bad_rows, given, empty)
    except TableError:
        check_unchanged(content)  # what is wrong with a half-written file is that it is half written
        raise
    check_unchanged(content)
    return table


def _by_format(content: Content, bad_rows: BadRows, given: dict[str, Any], empty: bool) -> Table:
    """Read a file or a stream in its format."""
    kind = format_of(content, given)
    if kind == "typed":
        return read_typed(content, empty)
    if kind == "json":
        return read_json_lines(content, bad_rows=bad_rows, encoding=given["encoding"])
    return read_text(content, bad_rows=bad_rows, empty=empty, **given)


def format_of(content: Content, given: dict[str, Any]) -> Literal["typed", "json", "text"]:
    """Return the format that the first bytes of a file tell, or its name where those cannot.

    Raises TableError when it is no table; OptionError when an option has no meaning for the format.
    """
    head, named = content.head, content.ending
    kind = stranger(head)
    if kind is not None:
        raise TableError(
            f"{content.label} is no table: its first bytes are those of {kind}. "
            "Give a CSV, TSV, JSON lines, Parquet or Arrow file; a spreadsheet or a database can export one.",
            file=content.label,
        )
    if is_parquet(head, named) or is_arrow_file(head, named) or is_arrow_stream(head):
        _refuse(given, f"{content.label}, which is no text file")
        return "typed"
    if named in _TYPED_ENDINGS:
        raise TableError(
            f"{content.label} is named {named}, but its first bytes are not those of {_TYPED_ENDINGS[named]}: "
            f"{head[:12]!r}. Give it the ending of what it is, for instance .csv.",
            file=content.label,
        )
    if named in _JSON_ENDINGS or (not any(map(_is_given, given.values())) and _begins_with_object(head)):
        _refuse({name: given[name] for name in ("delimiter", "header")}, f"{content.label}, which is JSON lines")
        return "json"
    return "text"


def _begins_with_object(head: bytes) -> bool:
    """Say whether the first line is a JSON object."""
    line = head.lstrip().split(b"\n", 1)[0]
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def joined(tables: list[Table]) -> Table:
    """Lay the tables of several files end to end; they must have the same columns, in any order."""
    first, *others = tables
    if not others:
        return first
    for table in others:
        _check_same_columns(first, table)
    try:
        arrow = pa.concat_tables([table.arrow.select(first.names) for table in tables], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise _types_differ(tables) from None
    arrays = [one_chunk(arrow.column(name), name, "The table") for name in first.names]
    folder = Path(first.sources[0].path).parent.name
    return Table(
        pa.table(arrays, names=list(first.names)),
        sources=tuple(source for table in tables for source in table.sources),
        decisions=_joined_decisions(tables),
        skipped=tuple(row for table in tables for row in table.skipped),
        name=folder or first.name,
    )


def _check_same_columns(first: Table, table: Table) -> None:
    if set(first.names) == set(table.names):
        return
    lacks = [name for name in first.names if name not in set(table.names)]
    besides = [name for name in table.names if name not in set(first.names)]
    parts = [f"it lacks {shortened(lacks)}"] * bool(lacks) + [f"it has {shortened(besides)} besides"] * bool(besides)
    path = table.sources[0].path
    raise TableError(
        f"{path} has other columns than {first.sources[0].path}: {' and '.join(parts)}. "
        "All files of one table need the same columns; leave this file out, or read it alone.",
        file=path,
    )


def _types_differ(tables: list[Table]) -> TableError:
    first = tables[0]
    for table in tables[1:]:
        for name in first.names:
            kinds = first.arrow.schema.field(name).type, table.arrow.schema.field(name).type
            if kinds[0] != kinds[1]:
                path = table.sources[0].path
                return TableError(
                    f"{path}: column {name!r} is of type {kinds[1]}, and in {first.sources[0].path} of type {kinds[0]}, "
                    "which do not join without loss. Write the column in the same type in all files.",
                    file=path,
                    column=name,
                )
    raise AssertionError("the types of all columns agree")


def _joined_decisions(tables: list[Table]) -> tuple[str, ...]:
    """Return each sentence once; those that do not hold for all files with the names of theirs."""
    files: dict[str, list[str]] = {}
    for table in tables:
        for sentence in table.decisions:
            files.setdefault(sentence, []).append(table.sources[0].path)
    sentences = []
    for sentence, paths in files.items():
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        sentences.append(sentence if len(paths) == len(tables) else f"{', '.join(paths[:3])}{more}: {sentence}")
    return (f"{len(tables)} files were joined.", *sentences)


def how_written(delimiter: str | None, encoding: str | None, header: bool | None) -> dict[str, Any]:
    """Return what the user says of how text is written. Raises OptionError when the delimiter cannot be one."""
    return {"delimiter": _checked_delimiter(delimiter), "encoding": encoding, "header": header}


def _checked_delimiter(delimiter: str | None) -> str | None:
    """Return the delimiter, a tab also when it is written as on a command line."""
    if delimiter in ("\\t", "tab"):
        return "\t"
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\r\n\"'\0"):
        raise OptionError(
            f"delimiter={delimiter!r} cannot separate cells: one ASCII character is needed, and no quote or line break. "
            "Usual ones are ',', ';', '|' and 'tab'."
        )
    return delimiter


def _is_given(value: object) -> bool:
    return value is not None


def _refuse(given: dict[str, Any], what: str) -> None:
    """Raise OptionError for options that say how text is written, when there is no such text."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise OptionError(
            f"{' and '.join(names)} cannot be used with {what}: "
            f"{'it says' if len(names) == 1 else 'they say'} how a text table is written. Leave {'it' if len(names) == 1 else 'them'} out."
        )
