"""Readers that were taught elsewhere find their columns: which reads what, what they make of rows, and how they go on learning."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fathom.chapters.bodies import reading
from fathom.chapters.remembering import Readings
from fathom.data.encoding import Column, inputs_of
from fathom.data.pretrained import Pretrained, find
from fathom.data.table import Table
from fathom.errors import OptionError, suggestion
from fathom.progress import Progress
from fathom.settings import Settings
from fathom.shapes import Part

# Of a picture's side, how many times larger it is shown to a network that was taught on photographs, and how large at most.
TIMES_LARGER, LARGEST_SHOWN = 4, 160
# How a reader goes on learning: Devlin et al., "BERT", NAACL 2019, appendix A.3 (https://arxiv.org/abs/1810.04805): 2 to 4 epochs, rates from 2e-5 to 5e-5.
FINE_TUNE_EPOCHS, FINE_TUNE_RATE, FINE_TUNE_BATCH = 3, 5e-5, 32
# Training rows by which the speed of a reader is measured where time is short, after as many that warm it up, and that it reads at least.
PROBED, FEWEST_READ = 16, 100


def readers_of(columns: Sequence[Column], settings: Settings) -> dict[str, Pretrained]:
    """Return what was taught elsewhere for each column that is to be read by such.

    Raises OptionError for a column or kind that the table does not have, a folder that cannot be read, and a reader of another kind.
    """
    inputs = {column.name: column for column in inputs_of(columns)}
    found: dict[str, Pretrained] = {}
    for wanted, folder in settings.pretrained.items():
        own = [column for name, column in inputs.items() if wanted in (name, column.modality)]
        if not own:
            known = [*inputs, *{column.modality for column in inputs.values() if column.modality}]
            raise OptionError(
                f"--pretrained names a reader for {wanted!r}, and the table has no such column or kind to predict from.{suggestion(wanted, known)}"
            )
        reader = find(folder)
        for column in own:
            if column.modality != reader.kind:
                raise OptionError(
                    f"{folder} reads {reader.kind} columns, and {column.name!r} was taken for {column.modality}. Say what it is with --columns, or name another reader."
                )
            found[column.name] = reader
    return found


def adopted(columns: Sequence[Column], train: Table, settings: Settings) -> tuple[Column, ...]:
    """Return the columns with the states with which their readers were taught; those of other columns stay."""
    readers = readers_of(columns, settings)
    return tuple(
        replace(column, state=_able(column).adopt(column.state, readers[column.name], train.column(column.name)))
        if column.name in readers
        else column
        for column in columns
    )


def _able(column: Column) -> Any:
    if not hasattr(column.kind, "adopt"):
        raise OptionError(
            f"No reader taught elsewhere can take a {column.modality} column such as {column.name!r} yet."
        )
    return column.kind


def options_for(reader: Pretrained, part: Part) -> dict[str, Any]:
    """Return the options of a reader's encoder for a part."""
    if part.shape != "grid":
        return dict(reader.options)
    return {**reader.options, "side": min(reader.side, LARGEST_SHOWN, TIMES_LARGER * min(part.size[1:]))}


def take_weights(network: Any, arrays: Mapping[str, Sequence[Part]], readers: Mapping[str, Pretrained]) -> None:
    """Give the readers of a network the weights that they were taught. Raises OptionError where a file has others."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for array, parts in arrays.items():
        reader = readers.get(parts[0].column)
        if reader is None:
            continue
        try:
            network.encoders[array].encoder.take(load_file(reader.weights))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise OptionError(
                f"{reader.weights} does not hold the weights that {reader.folder / 'config.json'} describes: {' '.join(str(error).split())[:300]} Fetch both again."
            ) from None


def readable(network: Any, rows: Any, readings: Readings, seconds: float, seed: int, progress: Progress) -> Any:
    """Return as many rows, drawn by ``seed``, as frozen readers can read within ``seconds`` by the clock; of rows that have in part been read before, those that have."""
    import torch

    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.training.batching import Batch

    readers = frozen_readers(network.encoders)
    if not readers or not isinstance(rows, Batch):
        return rows
    met = [readings.met(reader.fingerprint, rows.inputs[name].numpy()) for name, reader in readers.items()]
    known = np.flatnonzero(np.logical_and.reduce(met))
    order = np.random.default_rng(seed).permutation(rows.rows)
    if len(known) >= min(FEWEST_READ, rows.rows):
        return rows.take(torch.from_numpy(known))
    began = time.perf_counter()
    for some in (order[:PROBED], order[PROBED : 2 * PROBED]):
        started = time.perf_counter()
        read_through(network, rows.take(torch.from_numpy(np.sort(some))), readings, wanted=rows.rows)
    left = seconds - (time.perf_counter() - began)
    most = max(FEWEST_READ, int(PROBED * left / max(time.perf_counter() - started, 1e-6)))
    if most >= rows.rows:
        return rows
    progress.say(
        f"{most:,} of {rows.rows:,} training rows are learned from: what was taught elsewhere reads no more in the time that --minutes leaves."
    )
    return rows.take(torch.from_numpy(np.sort(order[:most])))


def read_through(network: Any, rows: Any, readings: Readings, progress: Progress | None = None, wanted: int = 0) -> Any:
    """Return rows with what frozen readers make of them in place of what they read, remembered in ``readings``; rows that lie on the disk stay as they are.

    They read by what is quickest for as many rows, or for as many as are ``wanted`` in all.
    """
    import torch

    from fathom.networks.encoders.pretrained import frozen_readers
    from fathom.training.batching import Batch

    readers = frozen_readers(network.encoders)
    if not readers or not isinstance(rows, Batch):
        return rows
    made = {}
    for name, reader in readers.items():
        values = rows.inputs[name].numpy()
        done = int(readings.met(reader.fingerprint, values).sum())
        unread = max(len(values) - done, wanted)
        if progress is not None:
            progress.begin("Reading with what was taught elsewhere", len(values))

        def advance(more: int) -> None:
            nonlocal done
            done += more
            if progress is not None:
                progress.advance(done)

        read = reading(reader, readings, values, unread, advance)
        made[name] = torch.from_numpy(readings.of(reader.fingerprint, values, read))[:, None]
        if progress is not None:
            progress.end(f"{len(values):,} rows, once")
    return replace(rows, inputs={**rows.inputs, **made})
