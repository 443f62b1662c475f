"""Series: numbers in the order of time, of one channel or several, of any length, with gaps and uneven times.

A cell is a list of numbers; a list of steps or of channels, each a list of numbers; a record of one list a channel; a list of records; or text of numbers
(`fathom.data.cells.nested`). Of lists of lists, the side that all rows have alike is the channel, the shorter one if both are. A field called time, t or the like
says when each step was.

What the network reads of a step: 1 for being there; each channel in deviations from its mean over the training rows; where the training rows have gaps, which channels are
known (a gap is filled on a straight line between the steps beside it: Lipton, Kale and Wetzel, "Modeling Missing Data in Clinical Time Series with RNNs", 2016,
https://arxiv.org/abs/1606.04130, give a network the same marks); where the level of rows differs more than what goes on within them, each channel also in deviations
from the row's own mean (Bagnall et al., "The great time series classification bake off", Data Mining and Knowledge Discovery 31, 2017, section 2, normalise so throughout);
and, where times are uneven, the time since the step before. Rows of more than `MOST_STEPS` steps are shortened: all rows take the mean of so many neighbouring steps. A row longer
than all of training is cut after as many steps as those had.

There is no ``settle``: a cell is at hand as numbers, or takes half a millionth of a second a number to read from text, a tenth of what decoding a photograph takes and less than one pass of a network over the row.
A second form of the cells would cost more memory than it saves time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells import nested, pieces, step_features, steps
from fathom.data.cells import values as cells
from fathom.data.cells.nested import Leaves, Numbers, Places
from fathom.data.cells.pieces import Gone, Piece
from fathom.data.modalities.contract import Claim, Features, Part, Role
from fathom.errors import OptionError, TableError
from fathom.shapes import Shape

NAME = "series"
SHAPE: Shape = "vectors"
SUMMARY = "numbers in the order of time, of one channel or several"
SOURCE = "Lipton, Kale and Wetzel, Modeling Missing Data in Clinical Time Series with RNNs, 2016, https://arxiv.org/abs/1606.04130"
PREDICTABLE = False

MOST_STEPS = 512  # that a network reads
MOST_CHANNELS = 64
FEW_STEPS = 5  # numbers a cell from which text is a series rather than a place, a date or a telephone number
LOOK = 200  # cells that a claim looks at
WITHIN = 0.5  # of the spread of all steps: below, rows differ by their level more than by what goes on within them
UNEVEN = 0.01  # deviation of the time between steps, in units of its median
LATE = 3.0  # logarithm of the times between steps, cut here
TIMES = ("time", "t", "timestamp", "datetime", "date", "seconds", "ts", "at")

NOISE = (0.05, 0.1, 0.2, 0.4, 0.8)  # of the row's spread, by severity
DRIFT = (0.1, 0.2, 0.5, 1.0, 2.0)  # from the first step to the last, in units of the row's spread
GAPS = (0.02, 0.05, 0.1, 0.2, 0.4)  # share of a row that one gap empties
SPIKES = (0.002, 0.005, 0.01, 0.02, 0.05)  # share of steps that jump by five spreads
LOST = (0.01, 0.02, 0.05, 0.10, 0.15)  # share of cells emptied
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class State:
    """How cells are nested, and what the training rows hold.

    ``by_channel`` says that the outer list is one of channels; ``names`` are those of the channels, empty where they have none, and ``time`` is the field that says when a
    step was. The longest row has ``longest`` steps, of which ``factor`` neighbours are taken together. ``centre`` and ``spread`` are each channel's; ``gaps`` says whether
    steps are missing, ``levels`` whether rows are read by their own level too, ``pace`` is the median time between steps, 0 where times are even.
    """

    by_channel: bool
    names: tuple[str, ...]
    time: str
    longest: int
    factor: int
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    gaps: bool
    levels: bool
    pace: float

    def __post_init__(self) -> None:
        for name in ("names", "centre", "spread"):
            object.__setattr__(self, name, cells.as_tuple(getattr(self, name)))

    @property
    def channels(self) -> int:
        """How many channels there are, the time not counted."""
        return len(self.centre)

    @property
    def steps(self) -> int:
        """How many steps a network reads at most."""
        return -(-self.longest // self.factor)


def claim(values: pa.Array) -> Claim:
    """Look whether the cells hold several numbers each and nothing else."""
    values = cells.plain(values) if nested.is_text(values.type) else values
    some = cells.evenly(values.drop_null(), LOOK)
    if nested.is_text(some.type) and not _may_hold_numbers(some):
        return Claim(0.0, "text that is no list of numbers")
    found = nested.leaves(some)
    counts = np.bincount(found.row[np.isfinite(found.numbers)], minlength=max(found.rows, 1))
    if not counts.any():
        return Claim(0.0, "no cell holds a list of numbers")
    if (found.foreign & ~missing(some)).mean() > 0.05:
        return Claim(0.0, "the cells hold more than numbers")
    typical = int(np.median(counts[counts > 0]))
    length = Track(found, _layout(found)).lengths()
    said = (
        f"lists of {typical:,} numbers"
        if length.min() == length.max()
        else f"lists of {length.min():,} to {length.max():,} steps"
    )
    return Claim(0.9 if typical >= FEW_STEPS else 0.4, said)


def _may_hold_numbers(some: pa.Array) -> bool:
    """Say whether text looks like numbers with something between them, before it is taken apart."""
    text = cells.plain(some)
    short = pc.utf8_slice_codeunits(text, 0, 400)
    numbers = pc.match_substring_regex(short, r"^[\[({\s]*[+-]?(\d|\.\d|nan|NaN|null)[-+.,;:\s\d\[\](){}eE|nulaNU?]*$")
    several = pc.greater_equal(pc.count_substring_regex(short, r"\d[\s,;:|\]\[]+"), FEW_STEPS - 1)
    known = int(pc.sum(pc.invert(pa.array(missing(some)))).as_py() or 0)
    return known > 0 and int(pc.sum(pc.and_(numbers, several)).as_py() or 0) >= 0.9 * known


@dataclass(frozen=True)
class Layout:
    """Which list is that of the channels, which place is which channel, and which is the time (-1: none)."""

    by_channel: bool
    names: tuple[str, ...]
    channels: int
    time: int


def _layout(found: Leaves) -> Layout:
    """Say how cells are nested, from their numbers."""
    if not found.deep:
        return Layout(False, (), 1, -1)
    if found.names:
        times = [place for place, name in enumerate(found.names) if name.lower() in TIMES]
        time = times[0] if times and len(found.names) > 1 else -1
        names = tuple(name for place, name in enumerate(found.names) if place != time)[:MOST_CHANNELS]
        return Layout(found.fields == "outer", names, len(names), time)
    outer, inner = np.zeros((2, found.rows), np.int64)
    np.maximum.at(outer, found.row, found.outer + 1)
    np.maximum.at(inner, found.row, found.inner + 1)
    known = outer > 0
    first, second = outer[known], inner[known]
    if not len(first):
        return Layout(False, (), 1, -1)
    even = (first.min() == first.max(), second.min() == second.max())
    by_channel = bool(first.max() < second.max()) if even[0] == even[1] else bool(even[0])
    return Layout(by_channel, (), int(min(MOST_CHANNELS, (first if by_channel else second).max())), -1)


class Track(steps.Track):
    """The numbers of cells by row, step and channel; the time is the channel after the others."""

    def __init__(self, found: Leaves, layout: Layout) -> None:
        wanted = None
        if found.names:
            wanted = np.full(len(found.names), -1, np.int64)
            for channel, name in enumerate(layout.names):
                if name in found.names:
                    wanted[found.names.index(name)] = channel
            if layout.time >= 0:
                wanted[layout.time] = layout.channels
        by_channel = found.fields == "outer" if found.names else layout.by_channel
        made = steps.Track.of(found, by_channel and found.deep, wanted)
        super().__init__(made.numbers, made.row, made.step, made.channel, made.rows)


def _track(state: State, values: pa.Array) -> Track:
    """Return the numbers of cells as a state reads them."""
    found = nested.leaves(values)
    if state.names and not found.names:  # without names, no number belongs to a channel
        found = nested.leaves(pa.nulls(len(values), pa.list_(pa.float64())))
    time = found.names.index(state.time) if state.time in found.names else -1
    return Track(found, Layout(state.by_channel, state.names, state.channels, time))


def learn(values: pa.Array, role: Role = "input") -> State:
    """Learn how cells are nested, the longest row, and each channel's centre and spread.

    Raises TableError when no cell holds numbers, OptionError for a target.
    """
    if role == "target":
        raise OptionError(
            "A series cannot be predicted yet. Choose another target, or leave the column out with --columns NAME=skip."
        )
    found = nested.leaves(values)
    layout = _layout(found)
    track = Track(found, layout)
    lengths = track.lengths()
    if not lengths.any() and not missing(values).all():
        first = int(np.flatnonzero(~missing(values))[0])
        raise TableError(
            f"None of the {len(values):,} training cells is a list of numbers: the first with a value is {cells.quoted(values, first)}. A series is a list such as "
            "[1.5, 2, 3], or text such as '1.5 2 3'. Leave the column out with --columns NAME=skip."
        )
    longest = max(1, int(lengths.max(initial=1)))
    factor = -(-longest // MOST_STEPS)
    of_channel = [track.numbers[track.channel == channel] for channel in range(layout.channels)]
    moments = [steps.centre_and_spread(numbers) for numbers in of_channel]
    within, gaps, paces = [], False, []
    for rows, block in track.blocks(longest, layout.channels + 1):
        inside = np.arange(longest) < lengths[rows, None]
        known = np.isfinite(block[:, :, : layout.channels])
        gaps = gaps or bool((inside[:, :, None] & ~known).any())
        within.append(_spreads(block[:, :, : layout.channels]))
        if layout.time >= 0:
            between = np.diff(block[:, :, layout.channels], axis=1)
            paces.append(between[np.isfinite(between)])
    spreads = np.concatenate([np.zeros((0, layout.channels)), *within])
    shares = [
        np.median(own[np.isfinite(own)]) / spread
        for own, (_, spread) in zip(spreads.T, moments, strict=True)
        if np.isfinite(own).any()
    ]
    pace = np.concatenate(paces) if paces else np.zeros(0)
    usual = float(np.median(pace)) if len(pace) else 0.0
    uneven = usual > 0 and float(np.std(np.clip(pace / usual, 0, 100))) > UNEVEN
    return State(
        by_channel=layout.by_channel,
        names=layout.names,
        time=found.names[layout.time] if layout.time >= 0 else "",
        longest=longest,
        factor=factor,
        centre=tuple(centre for centre, _ in moments),
        spread=tuple(spread for _, spread in moments),
        gaps=gaps,
        levels=bool(shares) and float(np.median(shares)) < WITHIN,
        pace=usual if uneven else 0.0,
    )


def _spreads(block: steps.Block) -> npt.NDArray[np.float64]:
    """Return the deviation of each row's channels ``(row, channel)``, NaN of nothing."""
    known = np.isfinite(block)
    count = known.sum(axis=1)
    mean = np.where(known, block, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, np.square(block - mean[:, None]), 0.0).sum(axis=1)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count, 1)), np.nan)


def parts(state: State, column: str) -> tuple[Part, ...]:
    """Describe the vectors: being there, the channels, which are known, their deviations from the row's level, the time between steps."""
    return (Part(column, "value", "vectors", size=(state.steps, _width(state))),)


def _width(state: State) -> int:
    return 1 + state.channels * (1 + state.gaps + state.levels) + bool(state.pace)


def _blocks(state: State, values: pa.Array) -> Iterator[tuple[slice, steps.Block, steps.Block, Places]]:
    """Yield rows, the block of their known steps, the one with gaps filled, and how many steps each row has."""
    centre = np.array(state.centre)
    for rows, block in _track(state, values).blocks(state.longest, state.channels + 1):
        short = steps.pooled(block, state.factor)
        lengths = steps.lengths_of(short[:, :, : state.channels])
        empty = np.append(centre, 0.0)
        yield rows, short, steps.filled(short, lengths, empty), lengths


def encode(state: State, values: pa.Array) -> npt.NDArray[np.float32]:
    """Turn values into vectors ``(row, step, channel)``; channel 0 is 1 on the steps that are there."""
    encoded = np.zeros((len(values), state.steps, _width(state)), np.float32)
    centre, spread, count = np.array(state.centre), np.array(state.spread), state.channels
    for rows, block, whole, lengths in _blocks(state, values):
        inside = np.arange(state.steps) < lengths[:, None]
        wanted = [inside[:, :, None].astype(np.float64), steps.scaled(whole[:, :, :count], centre, spread)]
        if state.gaps:
            wanted.append(np.isfinite(block[:, :, :count]).astype(np.float64))
        if state.levels:
            wanted.append(_around_level(whole[:, :, :count], inside, lengths))
        if state.pace:
            between = np.diff(whole[:, :, count], axis=1, prepend=whole[:, :1, count] - state.pace * state.factor)
            late = np.log(np.maximum(between / (state.pace * state.factor), np.exp(-LATE)))
            wanted.append(np.minimum(late, LATE)[:, :, None])
        encoded[rows] = np.where(inside[:, :, None], np.concatenate(wanted, axis=2), 0.0)
    return encoded


def _around_level(whole: steps.Block, inside: npt.NDArray[np.bool_], lengths: Places) -> steps.Block:
    """Return each channel's deviations from the row's own mean, in units of the row's own spread."""
    count = np.maximum(lengths, 1)[:, None]
    mean = whole.sum(axis=1) / count
    around = np.where(inside[:, :, None], whole - mean[:, None], 0.0)
    spread = np.sqrt(np.square(around).sum(axis=1) / count)
    return around / np.where(spread > 1e-9 * np.maximum(1.0, np.abs(mean)), spread, 1.0)[:, None]


def decode(state: State, answer: npt.NDArray[Any]) -> pa.Array:
    """Raise OptionError: no network writes a series yet."""
    raise OptionError("A series cannot be predicted yet. Choose another target.")


def unreadable(state: State, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold something that is no number."""
    return nested.leaves(values).foreign & ~missing(values)


def missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Mark the cells that hold nothing: null, a word for missing, or a list without a number."""
    found = nested.leaves(values)
    known = np.bincount(found.row[np.isfinite(found.numbers)], minlength=found.rows) > 0
    nothing: npt.NDArray[np.bool_] = ~(found.foreign | known)
    if found.deep or pa.types.is_nested(values.type):
        return nothing
    return nothing | cells.missing_mask(values)


def features(state: State, values: pa.Array) -> Features:
    """Make about fifty features a channel (`fathom.data.cells.step_features`), of which fewer where there are many channels."""
    names = (
        state.names or tuple(f"channel {channel + 1}" for channel in range(state.channels))
        if state.channels > 1
        else ("",)
    )
    made: list[npt.NDArray[np.float64]] = []
    found: dict[str, Any] = step_features.features(
        np.zeros((0, state.steps, state.channels)), np.zeros(0, np.int64), names
    )
    for _, block, whole, lengths in _blocks(state, values):
        found = step_features.features(whole[:, :, : state.channels], lengths, names)
        if state.gaps:
            inside = np.arange(state.steps) < lengths[:, None]
            known = np.isfinite(block[:, :, : state.channels]).all(axis=2) | ~inside
            found["steps with gaps"] = np.where(lengths > 0, (~known).sum(axis=1) / np.maximum(lengths, 1), np.nan)
        made.append(np.stack(list(found.values()), axis=1))
    if state.gaps and not made:
        found["steps with gaps"] = np.zeros(0)
    matrix = np.concatenate([np.zeros((0, len(found))), *made])
    return Features(matrix, tuple(found), (0,) * len(found))


def corrupt(values: pa.Array, severity: int, seed: int) -> pa.Array:
    """Add noise, drift, spikes and a gap to each row, as sensors do, and empty some cells; text becomes lists."""
    level = cells.level(severity)
    generator = np.random.default_rng(seed)
    found = nested.leaves(values)
    layout = _layout(found)
    of_track = Track(found, layout)
    lengths = np.maximum(of_track.lengths(), 1)
    start = generator.random(len(values)) * (1 - GAPS[level])
    slope = DRIFT[level] * generator.choice([-1.0, 1.0], len(values))

    def change(numbers: Numbers, row: Places, outer: Places, inner: Places, name: str) -> Numbers:
        if name.lower() in TIMES and layout.time >= 0:
            return numbers
        step, channel = (inner, outer) if layout.by_channel else (outer, inner)
        spread = _row_spreads(numbers, row * (int(channel.max(initial=0)) + 1) + channel)
        place = step / lengths[row]
        numbers = numbers + spread * (generator.normal(0.0, NOISE[level], len(numbers)) + slope[row] * (place - 0.5))
        spikes = generator.random(len(numbers)) < SPIKES[level]
        numbers = numbers + np.where(spikes, 5.0 * spread * generator.choice([-1.0, 1.0], len(numbers)), 0.0)
        gap = (place >= start[row]) & (place < start[row] + GAPS[level])
        return np.where(gap & (lengths[row] > 4), np.nan, numbers)

    with np.errstate(over="ignore", invalid="ignore"):
        changed = nested.mapped(values, change)
    return cells.empty_some(changed, LOST[level], generator)


def _row_spreads(numbers: Numbers, key: Places) -> Numbers:
    """Return for every number the deviation of those of its key."""
    known = np.isfinite(numbers)
    size = int(key.max(initial=0)) + 1
    bounded = np.where(known, np.clip(numbers, -steps.LARGEST, steps.LARGEST), 0.0)
    count = np.maximum(np.bincount(key, known, size), 1)
    mean = np.bincount(key, bounded, size) / count
    squares = np.bincount(key, np.where(known, np.square(bounded - mean[key]), 0.0), size)
    return np.asarray(np.sqrt(squares / count)[key])


def blank(state: State, rows: int) -> pa.Array:
    """Return ``rows`` nulls."""
    return pa.nulls(rows, pa.list_(pa.float64()))


def show(state: State, value: Any) -> str:
    """Write how many steps a series has, from where to where its first channel goes, and its course in 24 bars."""
    cell = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    one = pa.array([cell.as_py()], cell.type)
    if missing(one)[0]:
        return "missing"
    for _, block, whole, lengths in _blocks(state, one):
        count = int(lengths[0])
        if not count:
            break
        course = whole[0, :count, 0]
        known = block[0, :count, 0]
        low, high = (
            np.nanmin(known) if np.isfinite(known).any() else 0.0,
            np.nanmax(known) if np.isfinite(known).any() else 0.0,
        )
        groups = np.array_split(course, min(24, count))
        heights = (np.array([group.mean() for group in groups]) - low) / (high - low or 1.0)
        bars = "".join(BARS[int(np.clip(height, 0, 0.999) * len(BARS))] for height in heights)
        unit = "step" if count == 1 else "steps"
        return f"{count * state.factor if state.factor > 1 else count:,} {unit}, {low:.4g} to {high:.4g}: {bars}"
    text = str(cell.as_py())
    return text if len(text) <= 60 else f"{text[:59]}…"


def pieces_of(state: State, value: pa.Array) -> tuple[Piece, ...]:
    """Return the stretches of the one series."""
    length = int(_track(state, value).lengths()[0])
    return pieces.stretches(length) if length else ()


def without(state: State, value: pa.Array, gone: Gone) -> pa.Array:
    """Return the one series with gaps where stretches are gone; a gap is read as a straight line."""
    length = int(_track(state, value).lengths()[0])
    lost = pieces.gone_steps(length, pieces_of(state, value), gone)

    def change(numbers: Numbers, row: Places, outer: Places, inner: Places, name: str) -> Numbers:
        step = inner if state.by_channel else outer
        if name and name == state.time:
            return numbers
        return np.where(lost[row, np.minimum(step, length - 1)], np.nan, numbers)

    return nested.mapped(value.take(pa.array(np.zeros(len(gone), np.int64))), change)


def sample(count: int, seed: int) -> pa.Array:
    """Make waves of 20 to 60 steps with some steps unknown, one in twenty of them missing."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(20, 60, count)
    row = np.repeat(np.arange(count), lengths)
    step = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    speed, phase, level = (
        generator.uniform(0.1, 0.8, count),
        generator.uniform(0, 6, count),
        generator.normal(0, 1, count),
    )
    numbers = np.sin(speed[row] * step + phase[row]) + level[row] + generator.normal(0, 0.1, len(row))
    numbers = np.round(numbers, 3)
    unknown = generator.random(len(row)) < 0.03
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(
        offsets, pa.array(numbers, mask=unknown), mask=pa.array(generator.random(count) < 0.05)
    )
