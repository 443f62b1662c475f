"""How far apart groups lie at most, and how far chance alone parts groups that are alike.

The two groups that lie furthest apart were picked since they do, so the interval of their difference says nothing of whether groups are alike at all: of twenty small groups that are treated
the same, some two always lie far apart. The difference is therefore held against its own distribution where group and answer have nothing to do with each other: membership is dealt out anew
many times, and each time the largest difference is searched for again (permutation tests of a maximum: Westfall and Young, Resampling-Based Multiple Testing, Wiley, 1993).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.resampling import CELLS, RESAMPLES, Floats, Integers, Interval, Resamples

CHANCE = 0.05
MOST_UNITS = 5_000  # that are dealt out; more are first put into blocks, each of one group
DRAWS_EACH = (
    200  # times of dealing out for each difference that is compared: of those beyond the limit, some ten remain
)

Labels = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Gap:
    """The largest difference of a mean between ``groups`` groups: where it is ``most`` and ``least``, and the ``interval`` of these two alone.

    Were all groups alike, the largest difference would stay within ``by_chance`` in 95 of 100 tables, and reach ``interval.value`` with the probability ``chance``.
    """

    most: str
    least: str
    groups: int
    interval: Interval
    by_chance: float
    chance: float

    @property
    def sure(self) -> bool:
        """Whether it is larger than chance makes it."""
        return self.interval.value > self.by_chance


def largest(
    values: Floats,
    groups: Labels,
    fewest: int,
    *,
    together: npt.NDArray[Any] | None = None,
    compared: int = 1,
    seed: int = 0,
) -> Gap | None:
    """Return the largest difference of the mean of ``values (row,)`` between ``groups (row,)`` of ``fewest`` rows or more; ``None`` where there are no two.

    Rows that share a label of ``together (row,)`` are drawn and dealt out together, as far as they are of one group. ``compared`` is how many differences are looked at in all: the limit of chance is
    Bonferroni's for so many.

    >>> groups = np.repeat(np.array(["a", "b", "c"], object), 50)
    >>> found = largest(np.r_[np.zeros(100), np.ones(50)], groups, 20)
    >>> found.most, found.least, found.interval.value, found.sure
    ('c', 'a', 1.0, True)
    >>> largest(np.arange(150) % 2.0, groups, 20).sure
    False
    """
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    kept = sizes[codes] >= fewest
    if (sizes >= fewest).sum() < 2:
        return None
    values, codes = np.asarray(values[kept], np.float64), codes[kept]
    together = None if together is None else together[kept]
    names, codes = names[np.unique(codes)], np.unique(codes, return_inverse=True)[1]
    means = np.bincount(codes, values) / np.bincount(codes)
    most, least = int(means.argmax()), int(means.argmin())
    draws = max(RESAMPLES, DRAWS_EACH * compared)
    by_chance = np.sort(np.concatenate(list(_dealt_out(values, codes, together, draws, seed))))
    gap = float(means[most] - means[least])
    beyond = int(CHANCE / compared * (draws + 1)) - 1  # that may be as large before the difference is one of chance
    return Gap(
        str(names[most]),
        str(names[least]),
        len(names),
        _between(values, codes == most, codes == least, together, seed),
        float(by_chance[-1 - beyond]) + 1e-12,
        (1 + int((by_chance >= gap - 1e-12).sum())) / (draws + 1),
    )


def _between(
    values: Floats,
    most: npt.NDArray[np.bool_],
    least: npt.NDArray[np.bool_],
    together: npt.NDArray[Any] | None,
    seed: int,
) -> Interval:
    """Return the difference of the means of two groups with its interval over rows, or what hangs together of them, drawn again."""
    both = most | least
    draws = Resamples.draw(int(both.sum()), seed=seed, groups=None if together is None else together[both])
    ones = np.stack([most[both], least[both]]).astype(np.float64)
    sums = draws.sums(np.concatenate([ones * values[both], ones]))
    with np.errstate(invalid="ignore"):  # a draw without one of the groups has no difference
        means = sums[:, :2] / sums[:, 2:]
    return draws.interval(means[:, 0] - means[:, 1])


def _dealt_out(
    values: Floats, codes: Integers, together: npt.NDArray[Any] | None, draws: int, seed: int
) -> Iterator[Floats]:
    """Yield the largest difference ``(draw,)`` between groups whose members are dealt out anew, chunk after chunk."""
    random = np.random.default_rng(seed)
    unit = _units(codes, together, random)
    size = int(unit.max()) + 1
    of = np.empty(size, np.int64)
    of[unit] = codes
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(codes.max() + 1))
    sums, rows = np.bincount(unit, values)[order], np.bincount(unit).astype(np.float64)[order]
    step = max(1, CELLS // size)
    for start in range(0, draws, step):
        places = np.tile(np.arange(size), (min(step, draws - start), 1))
        random.permuted(places, axis=1, out=places)
        means = np.add.reduceat(sums[places], starts, axis=1) / np.add.reduceat(rows[places], starts, axis=1)
        yield means.max(axis=1) - means.min(axis=1)


def _units(codes: Integers, together: npt.NDArray[Any] | None, random: np.random.Generator) -> Integers:
    """Return the unit ``(row,)`` of each row, what moves as one from group to group: a row, or the rows of one group that hang together; where these are very many, a block of them."""
    unit = np.arange(len(codes))
    if together is not None:
        linked = np.unique(together, return_inverse=True)[1]
        unit = np.unique(linked * (int(codes.max()) + 1) + codes, return_inverse=True)[1]
    size = int(unit.max()) + 1
    if size <= MOST_UNITS:
        return unit
    of = np.empty(size, np.int64)
    of[unit] = codes
    order = random.permutation(size)
    order = order[np.argsort(of[order], kind="stable")]  # by group, and by chance within
    place = np.arange(size) - np.searchsorted(of[order], of[order])
    block = np.empty(size, np.int64)
    block[order] = np.unique(np.stack([of[order], place // -(-size // MOST_UNITS)]), axis=1, return_inverse=True)[1]
    return block[unit]
