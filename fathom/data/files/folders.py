"""Reads a folder or an archive of files as a table: a row a file, whose class is the sub-folder that it lies in.

::

    photos/cat/1.jpg          file                  folder
    photos/cat/2.jpg          cat/1.jpg             cat
    photos/dog/3.jpg          cat/2.jpg             cat
                              dog/3.jpg             dog

Sub-folders named ``train`` and ``test`` part the rows, and the classes are the folders inside. A folder that holds one table beside its files is that table, whose paths are relative
to it.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import media
from fathom.data.files.archives import is_archive_name, open_archive
from fathom.data.table import Source, Table
from fathom.errors import OptionError, TableError

FILE, TEXT, FOLDER = "file", "text", "folder"  # the columns
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather")
TEXTS = (".txt", ".text", ".md")
TRAIN, TEST = ("train", "training"), ("test", "testing")
VALIDATION = ("val", "valid", "validation", "dev")
MOST_TEXT = 16 << 20  # bytes of a text file
LOOK = 64  # cells of a column that are looked at to see whether they are paths


@dataclass(frozen=True)
class Listing:
    """The files of a folder or an archive: ``names`` relative to it, with ``/`` between, in order; ``left_out`` are others."""

    path: str
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    what: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The files at its top that are tables."""
        return tuple(name for name in self.left_out if "/" not in name and name.lower().endswith(TABLES))


def is_folder(source: object) -> bool:
    """Say whether a source names one folder or archive of files."""
    if not isinstance(source, str | os.PathLike):
        return False
    name = os.fsdecode(source)  # by os.path, which says False of a name that no file can have
    return os.path.isdir(name) or (is_archive_name(name) and os.path.isfile(name))  # noqa: PTH112, PTH113


def listing(path: str) -> Listing:
    """List the pictures, recordings, videos and texts of a folder or an archive; hidden files are passed over."""
    if Path(path).is_dir():
        every = sorted(_walk(Path(path)))
        return _sorted_out(path, every, "folder")
    members = open_archive(path).members
    visible = [name for name in sorted(members) if not _hidden(name)]
    return _sorted_out(path, visible, "archive")


def read_folder(path: str) -> Table:
    """Read a folder or an archive of files as a table.

    Raises TableError when it holds no file that Fathom reads.
    """
    found = listing(path)
    if not found.names:
        others = f" It holds {_some(found.left_out)}." if found.left_out else " It is empty."
        raise TableError(
            f"{path} is {'an' if found.what == 'archive' else 'a'} {found.what} without pictures, recordings, videos or texts.{others} "
            "Give a folder whose sub-folders are the classes, a table, or a glob such as 'data/*.csv'.",
            file=path,
        )
    return _as_table(found, found.names)


def parted(source: Any, target: Any, test: Any) -> tuple[Any, Any, Any]:
    """Return source, target and test rows of a fit, with what a folder says where the user says nothing: ``folder`` is the target, sub-folders ``train`` and ``test`` part the rows.

    Raises OptionError when there is no target.
    """
    if not is_folder(source):
        if not target:
            raise OptionError(
                "Name the column to predict: --target NAME. (Only a folder of classes has one that is known.)"
            )
        return source, target, test
    found = listing(os.fsdecode(source))
    if found.tables or not found.names:
        return source, target or FOLDER, test
    level = _common(found.names) if found.what == "archive" else 0
    folders = [parts[level].lower() if len(parts := name.split("/")) > level + 1 else "" for name in found.names]
    tops = set(folders)
    if test is None and tops & set(TRAIN) and tops & set(TEST) and tops <= {*TRAIN, *TEST, *VALIDATION}:
        named = list(zip(found.names, folders, strict=True))
        own = tuple(name for name, folder in named if folder not in TEST)
        other = tuple(name for name, folder in named if folder in TEST)
        source, test = (_as_table(found, names, level + 1) for names in (own, other))
    else:
        source = _as_table(found, found.names)
    if not target:
        target = FOLDER
        _check_classes(source, found)
    return source, target, test


def with_media(table: Table, folder: str | None) -> Table:
    """Return the table with its columns of paths to files as cells that stand for those files.

    Paths are relative to ``folder``, that of the table; without one they are the caller's own, relative to where the program runs, or absolute.
    Raises TableError for a path that leads out of the folder.
    """
    names, sentences = path_columns(table, folder)
    table = as_media(table, names, folder)
    return replace(table, decisions=(*table.decisions, *sentences)) if sentences else table


def path_columns(table: Table, folder: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that hold paths to files, and what to say of all that are named so.

    A column is one of paths when what is looked at of it is named like media, and at least one of the files is there.
    """
    found, sentences = [], []
    for name, column in zip(table.names, table.arrow.itercolumns(), strict=True):
        if not media.is_text(column.type) or not _looks_like_paths(column):
            continue
        some = [path for path in media.evenly(table.column(name), LOOK) if path.strip()]
        kinds = [media.kind_of_name(path) if len(path) < 4_096 else None for path in some]
        if not some or not all(kinds):
            continue
        if not any(_there(folder if folder is not None else "", path) for path in some):
            sentences.append(
                f"Column {name!r} names files such as {some[0]!r}, and none that was looked for is there: it is read as words."
            )
            continue
        what = Counter(kinds).most_common(1)[0][0]
        sentences.append(f"Column {name!r}: paths of {what} files, relative to {'the table' if folder else 'here'}.")
        found.append(name)
    return tuple(found), tuple(sentences)


def as_media(table: Table, names: Sequence[str], folder: str | None) -> Table:
    """Return the table with these columns as cells that stand for the files. Raises TableError for a path that leads out of the folder."""
    for name in names:
        values = table.column(name).cast(pa.large_string())
        if folder is not None:
            _check_inside(table, name, values)
        empty = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(values)), 0)
        paths = pc.if_else(empty, pa.scalar(None, pa.large_string()), values)
        table = table.with_column(name, media.cells(paths, folder or "."))
    return table


def _looks_like_paths(column: pa.ChunkedArray) -> bool:
    """Say whether the first cell of a column that is not empty is named like a file of media: a glance, for tables of very many columns."""
    for cell in column.slice(0, LOOK):
        if (text := cell.as_py()) and text.strip():
            return len(text) < 4_096 and media.kind_of_name(text) is not None
    return False


def _walk(root: Path) -> list[str]:
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        found += [prefix + name for name in files if not name.startswith(".")]
    return found


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _sorted_out(path: str, every: list[str], what: str) -> Listing:
    chosen = [name for name in every if media.kind_of_name(name)]
    if not chosen:
        chosen = [name for name in every if name.lower().endswith(TEXTS)]
    those = set(chosen)
    return Listing(path, tuple(chosen), tuple(name for name in every if name not in those), what)


def _as_table(found: Listing, names: tuple[str, ...], level: int = 0) -> Table:
    """Lay the files out as rows; the class is the folder at this level, below what all files of an archive have in common."""
    if found.what == "archive" and level == 0:
        level = _common(names)
    folders = [parts[level] if len(parts := name.split("/")) > level + 1 else None for name in names]
    columns: dict[str, Any] = {}
    texts = all(name.lower().endswith(TEXTS) for name in names)
    columns[TEXT if texts else FILE] = _texts(found.path, names) if texts else media.cells(names, found.path)
    classes = len(set(folders))
    if set(folders) != {None}:
        columns[FOLDER] = pa.array(folders, pa.string())
    what = "texts" if texts else "files"
    sentence = (
        f"{found.what.capitalize()}: {len(names):,} {what}"
        + (f" in {classes:,} sub-folder{'s' if classes != 1 else ''}" if FOLDER in columns else "")
        + (f"; {len(found.left_out):,} others were passed over: {_some(found.left_out)}" if found.left_out else "")
        + "."
    )
    name = PurePosixPath(Path(found.path).resolve().name).name.split(".")[0] or "folder"
    source = Source(found.path, len(names), first_line=1, unit="file", files=pa.array(names, pa.large_string()))
    return Table(pa.table(columns), sources=(source,), decisions=(sentence,), name=name)


def _common(names: tuple[str, ...]) -> int:
    """Return how many first folders all names have in common, where a further folder is left in each."""
    level = 0
    parts = [name.split("/")[:-1] for name in names]
    while min(map(len, parts)) > level + 1 and len({each[level] for each in parts}) == 1:
        level += 1
    return level


def _check_classes(table: Table, found: Listing) -> None:
    classes = set(table.column(FOLDER).to_pylist()) if FOLDER in table.names else set()
    if len(classes) < 2:
        one = f"one sub-folder, {next(iter(classes))!r}" if classes else "no sub-folders"
        raise TableError(
            f"{found.path} has {one}, and the classes to tell apart are its sub-folders: there is nothing to predict. "
            "Sort the files into a sub-folder a class, or give a table with a column of paths and --target.",
            file=found.path,
        )


def _texts(path: str, names: tuple[str, ...]) -> pa.Array:
    """Read text files, in UTF-8 or else in Windows-1252, as one string each."""
    contents = []
    for cell in media.cells(names, path).to_pylist():
        try:
            content = media.read_bytes(cell, MOST_TEXT)
        except media.UnreadableError as error:
            if str(error) != "it holds no bytes":
                raise TableError(
                    f"{path}: the text {media.shown(cell)} cannot be read: {error}. Put it right, shorten it, or take it out of the folder.",
                    file=media.shown(cell),
                ) from None
            content = b""
        try:
            contents.append(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            contents.append(content.decode("cp1252", "replace"))
    return pa.array(contents, pa.large_string() if sum(map(len, contents)) > 1 << 29 else pa.string())


def _there(folder: str, path: str) -> bool:
    try:
        if is_archive_name(folder):
            return path in open_archive(folder).members
        return (Path(folder) / path).is_file()
    except (OSError, ValueError):
        return False


def _check_inside(table: Table, name: str, values: pa.Array) -> None:
    """Raise TableError for the first path that is absolute or climbs out of the table's folder."""
    leads_out = pc.fill_null(pc.match_substring_regex(values, r"^([/\\~]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)"), False)
    row = pc.index(leads_out, True).as_py()
    if row < 0:
        return
    path, line = table.place(row)
    raise TableError(
        f"{table.where(row)}: column {name!r} holds the path {values[row].as_py()[:120]!r}, which leads out of the table's folder. A table may only name files beside "
        "and below it, so that it can be moved and cannot reach others: write paths relative to the table.",
        file=path,
        line=line,
        column=name,
    )


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown


__all__ = ["FOLDER", "as_media", "is_folder", "listing", "parted", "path_columns", "read_folder", "with_media"]
