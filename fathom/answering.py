"""Answers a table larger than memory: from reading through answering to writing, one block after the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fathom.chapters.larger import SHARE_OF_MEMORY, memory_for
from fathom.data.files.streaming import larger_than, stream
from fathom.data.files.writing import write_blocks
from fathom.data.table import Table
from fathom.model import Model


def is_large(source: Any, memory: float | None = None) -> bool:
    """Say whether a source of files would take more than its share of the memory, in GB, by default the machine's."""
    return larger_than(source, SHARE_OF_MEMORY * memory_for(memory)) is not None


def answer_blocks(
    model: Model,
    source: Any,
    target: str | Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    doubt: bool = False,
) -> int:
    """Answer the rows of files as ``model.predict`` does and write them as `fathom.data.files.writing.write` does, block by block; returns how many.

    Raises TableError for a row or a column that cannot be used, OutputError when the answers cannot be written.
    """
    opened = stream(source, delimiter=delimiter, encoding=encoding, header=header)
    done = 0

    def answers() -> Iterator[Table]:
        nonlocal done
        for block in opened.blocks():
            if block.rows:
                yield model.answered(model.checked(model.gathered(block)), doubt)
                done += block.rows

    write_blocks(answers(), target)
    return done
