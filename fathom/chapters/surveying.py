"""The first pass over a table larger than memory: it is counted, its rule of parting is found, and a sample of it is understood."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.chapters.larger import SHARE_OF_MEMORY, Larger, Reading, in_words, memory, sample_rows
from fathom.chapters.prepared import Prepared
from fathom.chapters.preparing import decoded, join, read_test, time_kind, understand
from fathom.data.encoding import Column, inputs_of
from fathom.data.files.streaming import FileStream, Stream, larger_than, stream
from fathom.data.files.writing import cannot_write
from fathom.data.modalities.contract import Modality
from fathom.data.recognising import check_names, likely_kinds, recognise_target, single_row
from fathom.data.rows.moments import Moments
from fathom.data.rows.parting import FewKeys, Parting, Tally
from fathom.data.rows.sampling import Sampler
from fathom.data.rows.splitting import (
    OWN_TEST,
    TEST,
    Hashes,
    Split,
    check_enough_rows,
    cut_places,
    fingerprint,
    none_empty,
    time_words,
)
from fathom.data.rows.weighing import row_weights, weights_of_parts
from fathom.data.table import SkippedRow, Table
from fathom.errors import TableError
from fathom.progress import Progress
from fathom.settings import Settings

SHOWN = 100  # skipped rows that are named; the others are counted
BLOCKS_BETWEEN = 8  # two words on how far it is


def open_larger(source: Any, settings: Settings, progress: Progress) -> Stream | FileStream | None:
    """Open a source of files that would take too much of the memory, or return ``None`` for any other.

    Raises TableError when it cannot be read block by block.
    """
    if settings.series is not None:  # an id's rows may stand anywhere in the table
        return None
    limit = SHARE_OF_MEMORY * memory(settings)
    needed = larger_than(source, limit)
    if needed is None:
        return None
    progress.say(
        f"The table would take about {in_words(needed)} of memory, and {in_words(limit)} are for it (--memory): it is read in blocks, "
        "understood and judged on a sample, and trained on whole."
    )
    return stream(
        source,
        bad_rows=settings.bad_rows,
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        header=settings.header,
    )


@dataclass
class _Counted:
    """What one pass over all rows gathers."""

    sampler: Sampler
    tallies: dict[str, Tally]
    few: FewKeys = field(default_factory=FewKeys)
    skipped: list[SkippedRow] = field(default_factory=list)
    skipped_rows: int = 0


def survey(
    opened: Stream | FileStream,
    target: str | Sequence[str],
    test: Any,
    settings: Settings,
    modalities: Sequence[Modality],
    progress: Progress,
    folder: Path,
) -> Prepared:
    """Read all rows once, and prepare a sample of them as `fathom.chapters.preparing.prepare` does a whole table.

    ``folder`` takes what does not fit in memory. Raises TableError or OptionError for anything that cannot be used.
    """
    targets = [target] if isinstance(target, str) else list(target)
    parting = [name for name in (settings.group, settings.time, settings.weight) if name is not None]
    progress.begin("Surveying")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    head = next(block for block in opened.blocks() if block.rows)
    check_names(head, targets, settings.columns, parting)
    kinds = {name: kind.NAME for name, kind in likely_kinds(head, targets, settings.columns, modalities).items()}
    timed = time_kind(head, settings, modalities) if settings.time else None
    reading = Reading(opened, tuple(targets), kinds, settings, modalities, timed)
    own_test = None if test is None else read_test(test, head, targets, settings, modalities)
    known = np.empty(0, np.uint64) if own_test is None else reading.hashes(own_test)

    moments = Moments.create(folder / "moments") if timed else None
    try:
        counted, seen = _count(reading, moments, known, progress)
        check_enough_rows(counted.sampler.seen, opened.name)
        cuts = None
        if moments:
            cuts = tuple(moments.ordered(place) for place in cut_places(moments.count, own_test=own_test is not None))
    finally:
        if moments:
            moments.close()
    progress.end(f"{counted.sampler.seen:,} rows, {len(head.names)} columns")

    progress.begin("Recognising columns")
    sample = replace(counted.sampler.table(), decisions=opened.decisions, skipped=tuple(counted.skipped))
    predicted = {name: _target(reading, sample, name, counted.tallies[name]) for name in targets}
    classes = next((name for name, column in predicted.items() if column.kind and column.kind.SHAPE == "code"), None)
    stratified = None if settings.group or settings.time else classes
    rule = Parting.of(
        counted.few, counted.tallies[stratified] if stratified else None, cuts, own_test=own_test is not None
    )
    larger = Larger(
        reading, rule, stratified, counted.sampler.seen, counted.skipped_rows, own_test.rows if own_test else 0
    )
    parts = _split(larger, sample, own_test)
    everything = sample if own_test is None else join(sample, own_test)
    prepared = understand(
        everything, targets, predicted, parts, settings, modalities, _warnings(larger, counted, seen, parts)
    )
    if settings.weight:
        weights = row_weights(everything, settings.weight, sample.rows)
        own, other = weights_of_parts(weights, parts, settings.weight)
        prepared = replace(prepared, weights=own, validation_weights=other)
    progress.end(f"{len(inputs_of(prepared.columns))} to predict from")
    return replace(decoded(prepared, settings, progress), larger=larger)


def _count(reading: Reading, moments: Moments | None, known: Hashes, progress: Progress) -> tuple[_Counted, int]:
    """Go through all rows once; returns what was gathered, and how many of the ``known`` test rows stand among them."""
    most = sample_rows(reading.settings, len(reading.stream.schema.names), len(reading.stream.media))
    counted = _Counted(Sampler(most), {name: Tally() for name in reading.targets})
    met = np.zeros(len(known), np.bool_)
    for number, block in enumerate(reading.blocks()):
        hashes = reading.hashes(block)
        keys = reading.keys(block, hashes)
        counted.sampler.offer(block, hashes)
        counted.few.add(keys)
        for name, tally in counted.tallies.items():
            tally.add(block.column(name), keys)
        times = reading.times(block)
        if moments and times is not None:
            moments.add(times)
        if len(known):
            met |= np.isin(known, hashes)
        counted.skipped_rows += len(block.skipped)
        counted.skipped += block.skipped[: SHOWN - len(counted.skipped)]
        if number % BLOCKS_BETWEEN == 0:
            progress.advance(0, f"{counted.sampler.seen:,} rows")
    return counted, int(met.sum())


def _target(reading: Reading, sample: Table, name: str, tally: Tally) -> Column:
    """Recognise a target in the sample, and its classes in all rows. Raises TableError for a class that has a single row."""
    words = None if tally.counts is None else pa.array([*tally.counts], sample.column(name).type)
    also = None if words is None else pa.concat_arrays([words, words])
    column = recognise_target(sample, name, reading.settings.columns, reading.modalities, also)
    if column.kind is None or column.kind.SHAPE != "code" or words is None or tally.counts is None:
        return column
    codes = column.kind.encode(column.state, words)[:, 0]
    rows = np.bincount(codes, weights=[*tally.counts.values()], minlength=column.parts[0].codes)
    for code in np.flatnonzero(rows == 1):
        word = [*tally.counts][int(np.flatnonzero(codes == code)[0])]
        raise _single_row(reading, tally.first[word], name)
    return column


def _single_row(reading: Reading, row: int, name: str) -> TableError:
    for block in reading.blocks():
        if row < block.rows:
            return single_row(block, row, name)
        row -= block.rows
    raise AssertionError("the table has no such row")


def _split(larger: Larger, sample: Table, own_test: Table | None) -> Split:
    """Part the rows of the sample as all are parted."""
    settings = larger.reading.settings
    part = larger.parts(sample)
    hashes = larger.reading.hashes(sample)
    groups = larger.reading.keys(sample, hashes) if settings.group else None
    if settings.time:
        how = time_words(settings.time, own_test=own_test is not None)
    elif settings.group:
        how = f"by a hash of {settings.group!r}, so that its groups stay together"
    else:
        how = "by a hash of each row" + (", rare classes shared out" if larger.classes else "")
    if own_test is not None:
        part = np.concatenate([part, np.full(own_test.rows, TEST, np.int8)])
        own_hashes = larger.reading.hashes(own_test)
        hashes = np.concatenate([hashes, own_hashes])
        if groups is not None:
            groups = np.concatenate([groups, larger.reading.keys(own_test, own_hashes)])
        how += f"; {OWN_TEST}"
    how += (
        f"; the network learns from all training rows, and all else from a sample of {sample.rows:,} of the {larger.total:,} rows, chosen by a hash: columns are "
        "recognised, simpler models fitted, and models chosen and judged on its parts"
    )
    result = Split(part, how, fingerprint(hashes[part == TEST]), groups, own_test=own_test is not None)
    none_empty(result, settings.group or settings.time or "")
    return result


def _warnings(larger: Larger, counted: _Counted, seen: int, parts: Split) -> tuple[str, ...]:
    warnings = []
    if larger.skipped:
        first = counted.skipped[0]
        warnings.append(
            f"{larger.skipped:,} rows could not be used and were left out; the first: {first.path}, line {first.line} ({first.reason})."
        )
    if seen:
        warnings.append(
            f"{seen:,} of the {parts.counts['test']:,} test rows stand, cell for cell, among the other rows too: their scores are better than they should be."
        )
    return tuple(warnings)
