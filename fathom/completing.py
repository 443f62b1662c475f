"""What the Tab key offers after an option: its words, and for a column the names that stand in the table."""

import io
from collections.abc import Callable
from pathlib import Path

import typer

from fathom.effort import EFFORTS, TRUNKS
from fathom.errors import FathomError

HEAD_BYTES = 1 << 18  # of a text file; enough for the names and the first rows


def words(*known: str) -> Callable[[str], list[str]]:
    """Return what offers those words that begin as the user did.

    >>> words("adamw", "sgd")("a")
    ['adamw']
    """

    def offer(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete)]

    return offer


efforts, trunks = words(*EFFORTS), words(*TRUNKS)


def metrics(incomplete: str) -> list[str]:
    """Offer the metrics that may decide."""
    from fathom.scoring import METRICS

    return words(*METRICS)(incomplete)


def columns(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the columns of the first file on the command line; none where it cannot be read."""
    files = [Path(word) for word in (*(context.params.get("files") or ()), *context.args) if Path(word).is_file()]
    return words(*column_names(files[0]))(incomplete) if files else []


def column_kinds(context: typer.Context, incomplete: str) -> list[str]:
    """Offer ``name=`` for each column, and after it the kinds."""
    name, sign, _ = incomplete.rpartition("=")
    if not sign:
        return [f"{column}=" for column in columns(context, incomplete)]
    from fathom.data.modalities import MODALITIES
    from fathom.data.recognising import SKIP

    return words(*(f"{name}={kind}" for kind in (*(modality.NAME for modality in MODALITIES), SKIP)))(incomplete)


def column_names(file: Path) -> tuple[str, ...]:
    """Return the names of a table's columns from its beginning, whatever its size; none where it cannot be read."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    from fathom.data.files.reading import read

    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
        if head.startswith(b"PAR1"):
            return tuple(parquet.read_schema(file).names)
        if head.startswith(b"ARROW1"):
            with pa.memory_map(str(file)) as mapped:
                return tuple(ipc.open_file(mapped).schema.names)
        if len(head) < HEAD_BYTES:
            return read(file).names
        return read(io.BytesIO(head[: head.rfind(b"\n") + 1]), bad_rows="skip").names
    except (FathomError, OSError, ValueError):  # Arrow's errors are ValueErrors or OSErrors; Tab offers nothing then
        return ()
