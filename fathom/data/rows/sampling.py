"""A uniform sample of a table's rows, of bounded size, drawn in one pass and the same on every machine.

The rows with the smallest scores are kept, a score being a hash of the row *and of its place*: Cohen and Kaplan, "Summarizing data using bottom-k sketches",
PODC 2007. By the row alone, many equal rows would all be in the sample or all out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from fathom.data.rows.hashing import hash_values
from fathom.data.rows.splitting import Hashes
from fathom.data.table import Rows, Source, Table

_SALT = 0x5A3B1E


@dataclass
class Sampler:
    """Keeps at most ``most`` of the rows it is offered; memory never holds more than about twice as many.

    >>> sampler = Sampler(2)
    >>> sampler.offer(Table.of({"x": [1, 2, 3]}), np.arange(3, dtype=np.uint64))
    >>> sampler.table().rows, sampler.seen
    (2, 3)
    """

    most: int
    seen: int = 0
    _limit: int = 2**64 - 1
    _tables: list[Table] = field(default_factory=list)
    _scores: list[Hashes] = field(default_factory=list)

    def offer(self, block: Table, hashes: Hashes) -> None:
        """Take note of the next rows of the table, of which ``hashes (row,)`` are the row hashes."""
        places = hash_values(pa.array(np.arange(self.seen, self.seen + block.rows)), _SALT)
        scores = hash_values(pa.array((hashes ^ places).view(np.int64)), _SALT)
        self.seen += block.rows
        below = np.flatnonzero(scores <= np.uint64(self._limit))
        if len(below):
            self._tables.append(_explicit(block, below))
            self._scores.append(scores[below])
        if sum(map(len, self._scores)) > 2 * self.most:
            self._shrink()

    def table(self) -> Table:
        """Return the sample, in the order of the table; every row knows its file and line."""
        self._shrink()
        return self._tables[0]

    def _shrink(self) -> None:
        """Leave the rows with the smallest scores in one table."""
        table, scores = laid_end_to_end(self._tables), np.concatenate(self._scores)
        if len(scores) > self.most:
            self._limit = int(np.partition(scores, self.most - 1)[self.most - 1])
            kept = np.flatnonzero(scores <= np.uint64(self._limit))
            table, scores = _explicit(table, kept), scores[kept]
        self._tables, self._scores = [table], [scores]


def laid_end_to_end(tables: Sequence[Table]) -> Table:
    """Return one table of the rows of several, whose sources of the same file become one."""
    lines: dict[tuple[str, str], list[Rows]] = {}
    for source in (source for table in tables for source in table.sources):
        lines.setdefault((source.path, source.unit), []).append(_lines(source))
    joined = {key: np.concatenate(runs) for key, runs in lines.items()}
    sources = tuple(Source(path, len(run), lines=run, unit=unit) for (path, unit), run in joined.items())
    arrow = pa.concat_tables([table.arrow for table in tables]).combine_chunks()
    return replace(tables[0], arrow=arrow, sources=sources, origin=None, _cache={})


def _explicit(table: Table, rows: Rows) -> Table:
    """Return the table of these rows, growing, with sources that hold no others."""
    sources, first = [], 0
    places = rows if table.origin is None else table.origin[rows]
    for source in table.sources:
        own = places[(places >= first) & (places < first + source.rows)] - first
        first += source.rows
        if len(own):
            sources.append(Source(source.path, len(own), lines=_lines(source)[own], unit=source.unit))
    return replace(table.take(rows), sources=tuple(sources), origin=None)


def _lines(source: Source) -> Rows:
    first = source.first_line
    return source.lines if source.lines is not None else np.arange(first, first + source.rows, dtype=np.int64)
