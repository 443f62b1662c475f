"""How unlike the rows of training a row is: NumPy alone, from the columns' hand-made features, and so the same for every model.

Two kinds of views. The view to which a row looks strangest decides; where there are several, what they say together is one more view:

* **features**: how improbable a row's features are under a bell curve of few dimensions and noise of its own in each feature, learned on training rows: the distance to the mean, in
  units of what is usual in each direction (Tipping and Bishop, "Probabilistic Principal Component Analysis", JRSS B 61, 1999, section 3; Mahalanobis, 1936; with noise of its own, a factor analysis), and the part of it that lies along these few dimensions.
* **surprise**, a column of texts or other codes: how rare a text's subwords are on average, how many there are, and how many of them follow each other as they never did in training, which tells another language, another manner of writing, or no
  language at all (Shannon, 1948; `fathom.bundle.answers.following`).

Of texts, it is what follows what that tells the most; the other views of a text add noise to it, and count from further out on, where nothing usual lies. Each is measured in how far the rows that were kept aside lie from their own median, and a row is unlike where it lies further than 99 % of these (conformal anomaly
detection: Laxhammar and Falkman, IEEE TPAMI 36, 2014). Where texts, pictures and the like are hardly ever missing, an empty one, or one of a word, is unlike as well; what such rows there are among those of training count towards the one in a hundred. The distance in the network's last layer and the energy of its
answer (Lee et al., NeurIPS 2018; Liu et al., NeurIPS 2020) were tried beside it and tell far rows worse (``make bench-evidence``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle import arrays as stored
from fathom.bundle.answers import following
from fathom.bundle.answers.following import Counts, codes_of, of_codes
from fathom.data.encoding import Column, hand_made_features, inputs_of
from fathom.data.modalities.contract import Features
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.errors import BundleError
from fathom.shapes import DEEP

NAME = "unlike.safetensors"
TOGETHER, LENGTH, EMPTY = "all together", "length of ", "empty"
FEATURES, ALONG, SURPRISE, PAIRS_OF, EVERY_PAIR = (
    "features",
    "main directions",
    "surprise of ",
    "pairs of ",
    "pairs of all texts",
)
WORDS = "nothing like this was seen"

SHARE = 0.01  # of rows like those of training that are called unlike all the same
DIRECTIONS = 32  # in which rows of training differ most
MOST_ROWS = 2_000  # to learn from, and as many to measure what is usual
MOST_TEXTS = 6_000  # to learn from which codes follow each other
FEWEST_ROWS = 30  # kept aside, from which "unlike" means something
LIMIT = 20.0  # of a number, in standard deviations
FREQUENT = 20  # categories of a column that have a place of their own
NOVEL = 3.0  # standard deviations that a category counts which training rows lack, or a gap where they have none
EMPTY_SHARE = 0.5  # of the rows that are called unlike all the same, that may be so because they lack a text, a picture or the like
NEXT_TO_NOTHING = 2  # codes of a text that are as good as none
RARELY_EMPTY = 0.002  # of the training rows: in bundles of before, a deep column with fewer gaps may not be empty
LEAST_NOISE = 1e-2  # of the mean noise: that of a feature which the directions tell wholly
BEYOND = 1.0  # further out than one in a hundred rows, from where on a view counts that adds noise to a better one
ALONG_BEYOND = 0.2  # the same of the few dimensions beside all of the distance
LEAST = 1e-3  # of the mean variance: the variance of a direction in which rows do not differ

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Unlikeness:
    """What was learned. ``arrays`` are those of the file; ``limit`` is the score above which a row is unlike."""

    columns: Sequence[Column]
    arrays: Mapping[str, npt.NDArray[Any]]

    @property
    def limit(self) -> float:
        """The score above which a row is unlike."""
        return float(self.arrays["limit"][0])

    def scores(self, table: Table) -> Floats:
        """Return how unlike each row ``(row,)`` is: about 0 for a usual row, 1 for one in a hundred of them, infinite where a column is empty that never was."""
        if not table.rows:
            return np.zeros(0)
        return np.asarray(np.max([scores for _, scores in self.views(table)], axis=0))

    def views(self, table: Table) -> list[tuple[str, Floats]]:
        """Return the score of each row ``(row,)`` by each view, with its name."""
        return _weighed(_views(self.columns, self.arrays, table), self.arrays["usual"])

    def unlike(self, table: Table) -> npt.NDArray[np.bool_]:
        """Mark the rows ``(row,)`` that are unlike those of training."""
        return np.asarray(self.scores(table) > self.limit)

    def to_bytes(self) -> bytes:
        """Return the file of the bundle."""
        return stored.write(self.arrays)


def opened(files: Mapping[str, bytes], columns: Sequence[Column]) -> Unlikeness | None:
    """Return what a bundle holds, or ``None`` where it holds none. Raises BundleError when the file does not fit the columns."""
    if NAME not in files:
        return None
    arrays = stored.read(files[NAME], NAME)
    wanted = {"limit", "usual", "middle", "scale", "mean", "directions", "spreads", "rest"}
    wanted |= {f"{kind}/{place}" for place in range(len(of_codes(columns))) for kind in ("surprise", "means", "pairs")}
    missing = wanted - set(arrays)
    sound = not missing and len(arrays["mean"]) == len(arrays["directions"]) and arrays["limit"].shape == (1,)
    if not sound:
        raise BundleError(
            f"{NAME} is not what this Fathom writes{': it lacks ' + ', '.join(sorted(missing)) if missing else ''}. Copy the bundle again, whole.",
            file=NAME,
        )
    return Unlikeness(columns, arrays)


def learn(
    columns: Sequence[Column], train: Table, aside: Table, seed: int = 0, lend: bool = False
) -> Unlikeness | None:
    """Learn from training rows what is usual, and from rows kept ``aside`` how far usual rows lie; ``None`` where there are too few of either.

    With ``lend``, training rows that nothing was learned from are kept aside, too, since one in a hundred of a few hundred rows is known but roughly; not where codes are
    read, whose vocabulary is that of all training rows, nor should it be where rows belong together or follow each other in time.
    """
    if min(train.rows, aside.rows) < FEWEST_ROWS:
        return None
    names = [column.name for column in inputs_of(columns)]
    every, aside = _some(train.select(names), MOST_TEXTS), _some(aside.select(names), MOST_ROWS)
    train = every.take(np.arange(min(every.rows, MOST_ROWS)))
    kept = [aside]
    if lend and not of_codes(columns):
        kept.append(every.take(np.arange(train.rows, min(every.rows, train.rows + MOST_ROWS - aside.rows))))
    arrays = _scales(features := hand_made_features(columns, train))
    learned, counts = following.learn(columns, every)
    arrays |= learned
    arrays |= _directions(_scaled(features, arrays), seed)
    arrays["least"] = _least(columns, every, counts)
    made = [_views(columns, arrays, table) for table in kept if table.rows]
    raw = {name: np.concatenate([views[name] for views in made]) for name in made[0]}
    told = {name: values for name, values in raw.items() if name != EMPTY}
    usual = [(*_usual(values), _beyond(name, columns)) for name, values in told.items()]
    if len(told) > 1:
        together = _together(_measured(told, np.array(usual)))
        usual.append((*_usual(together), _beyond(TOGETHER, columns)))
    arrays["usual"] = np.array(usual)
    known = np.sort(np.max([scores for _, scores in _weighed(raw, arrays["usual"])], axis=0))
    place = min(len(known), int(np.ceil((len(known) + 1) * (1 - SHARE))))
    limit = known[place - 1]
    finite = known[np.isfinite(known)]
    arrays["limit"] = np.array([limit if np.isfinite(limit) else finite.max(initial=1.0)])
    return Unlikeness(columns, arrays)


def _weighed(raw: Mapping[str, Floats], usual: Floats) -> list[tuple[str, Floats]]:
    """Return each view's scores by how far usual rows lie, those of a view that adds noise from further out, and with them what all say together."""
    told = {name: values for name, values in raw.items() if name != EMPTY}
    found = _measured(told, usual)
    if len(found) > 1:  # what none of them says alone, several may say together
        found |= _measured({TOGETHER: _together(found)}, usual[len(found) :])
    if usual.shape[1] == 3:  # bundles of before weigh all views alike
        found = {name: scores - beyond for (name, scores), beyond in zip(found.items(), usual[:, 2], strict=True)}
    return [*found.items(), (EMPTY, raw[EMPTY])]


def _usual(values: Floats) -> tuple[float, float]:
    """Return the median of a view's scores, and how far above it one in a hundred rows lies."""
    middle = float(np.median(values))
    return middle, max(float(np.quantile(values, 1 - SHARE)) - middle, 1e-9)


def _beyond(name: str, columns: Sequence[Column]) -> float:
    """Return how much further out than one in a hundred usual rows a view counts: from there on, of what adds noise to a better view."""
    texts = [column.name for column in inputs_of(columns) if column.modality == "text"]
    alone = len(texts) == len(inputs_of(columns))
    noisy = [f"{view}{text}" for text in texts for view in (SURPRISE, LENGTH)]
    noisy += [f"{PAIRS_OF}{text}" for text in texts if len(texts) > 1]
    noisy += [FEATURES, ALONG, TOGETHER] if alone else []
    return BEYOND if name in noisy else ALONG_BEYOND if name == ALONG else 0.0


def _measured(raw: Mapping[str, Floats], usual: Floats) -> dict[str, Floats]:
    """Return each view's scores by how far usual rows lie from their own median."""
    return {name: (values - one[0]) / one[1] for (name, values), one in zip(raw.items(), usual, strict=False)}


def _together(measured: Mapping[str, Floats]) -> Floats:
    """Return how far all views but those of lengths, and those that are part of another, are above their medians, summed."""
    told = [
        np.maximum(values, 0.0)
        for name, values in measured.items()
        if not name.startswith(LENGTH) and name not in (ALONG, EVERY_PAIR)
    ]
    return np.asarray(np.sum(told, axis=0))


def _some(table: Table, most: int) -> Table:
    """Return at most so many rows, drawn and ordered by what they hold, so that no order of a table's rows moves a figure."""
    return table.take(drawn(table, most))


def _views(columns: Sequence[Column], arrays: Mapping[str, Any], table: Table) -> dict[str, Floats]:
    """Return the score of each row ``(row,)`` by each view, each on a scale of its own; that of empty cells is infinite or none."""
    scaled = _scaled(hand_made_features(columns, table), arrays) - arrays["mean"]
    along = scaled @ arrays["directions"]
    beside = (np.square(scaled - along @ arrays["directions"].T) / arrays["rest"]).sum(axis=1)
    within = (np.square(along) / arrays["spreads"]).sum(axis=1)
    found = {FEATURES: np.log1p(within + beside)}
    whole = "usual" not in arrays or arrays["usual"].shape[1] == 3
    if whole and len(arrays["directions"]) > arrays["directions"].shape[1]:
        found[ALONG] = np.log1p(within)
    new, every, texts, counts = np.zeros(table.rows), np.zeros(table.rows), 0, {}
    for place, column in enumerate(of_codes(columns)):
        middle, spread = arrays[f"means/{place}"]
        codes = codes_of(column, table)
        counts[column.name] = (codes > 0).sum(axis=1)
        away = np.abs(following.means_of(codes, arrays[f"surprise/{place}"]) - middle) / spread
        found[f"{SURPRISE}{column.name}"] = np.log1p(away[:, 0])
        found[f"{LENGTH}{column.name}"] = np.log1p(away[:, 1])
        own, there = following.new_pairs(codes, arrays, place)
        found[f"{PAIRS_OF}{column.name}"] = own / np.maximum(there, 1)
        if column.modality == "text":
            new, every, texts = new + own, every + there, texts + 1
    if whole and texts > 1:
        found[EVERY_PAIR] = new / np.maximum(every, 1)
    return {**found, EMPTY: np.where(_empty(columns, arrays, table, counts), np.inf, -np.inf)}


def _scales(features: Features) -> dict[str, npt.NDArray[Any]]:
    """Learn, of each feature, its middle and scale, and of a category which codes are frequent."""
    sizes = np.asarray(features.sizes, np.int64)
    numbers = features.matrix[:, sizes == 0]
    known = np.isfinite(numbers)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, numbers, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        low, middle, high = (
            np.array(
                [
                    np.quantile(column[there], share) if there.any() else 0.0
                    for column, there in zip(numbers.T, known.T, strict=True)
                ]
            )
            for share in (0.05, 0.5, 0.95)
        )
        spread = np.sqrt(np.square(np.where(known, np.clip(filled, low, high) - middle, 0.0)).sum(axis=0) / count)
        rare = np.sqrt(np.square(np.where(known, filled - middle, 0.0)).sum(axis=0) / count)
    spread = np.where(spread > 0, spread, rare)
    arrays: dict[str, npt.NDArray[Any]] = {
        "middle": middle,
        "scale": np.where((spread > 0) & np.isfinite(spread), 1.0 / np.maximum(spread, 1e-300), 0.0),
    }
    for place in np.flatnonzero(sizes > 0):
        codes, counts = np.unique(features.matrix[:, place], return_counts=True)
        arrays[f"codes/{place}"] = np.sort(codes[np.argsort(-counts, kind="stable")[:FREQUENT]])
    return arrays


def _scaled(features: Features, arrays: Mapping[str, Any]) -> Floats:
    """Lay features out as numbers of one size: those that are numbers, whether they are gaps, and a place for each frequent category and one for the others."""
    sizes = np.asarray(features.sizes, np.int64)
    numbers = features.matrix[:, sizes == 0]
    gaps = ~np.isfinite(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.clip(np.where(gaps, 0.0, (numbers - arrays["middle"]) * arrays["scale"]), -LIMIT, LIMIT)
    blocks = [scaled, gaps.astype(np.float64) * NOVEL]
    for place in np.flatnonzero(sizes > 0):
        ours = features.matrix[:, place, None] == arrays[f"codes/{place}"][None]
        blocks += [ours * 1.0, NOVEL * ~ours.any(axis=1, keepdims=True)]
    return np.concatenate(blocks, axis=1)


def _directions(scaled: Floats, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Return the mean, the directions of the largest variance with these variances, and what each feature varies by besides.

    By subspace iteration from a random start (Halko, Martinsson and Tropp, SIAM Review 53, 2011, algorithm 4.4), which costs rows x features x directions.
    """
    mean = scaled.mean(axis=0)
    centred = scaled - mean
    rows, width = centred.shape
    count = min(DIRECTIONS, width, rows)
    basis = centred @ np.random.default_rng(seed).normal(size=(width, min(count + 8, width)))
    for _ in range(2):
        basis, _ = np.linalg.qr(centred @ (centred.T @ np.linalg.qr(basis)[0]))
    _, sizes, turned = np.linalg.svd(basis.T @ centred, full_matrices=False)
    count = min(count, len(turned))
    variances = np.square(sizes[:count]) / rows
    whole = float(np.square(centred).sum() / rows)
    floor = LEAST * whole / width
    rest = max((whole - float(variances.sum())) / max(width - count, 1), floor, 1e-9)
    left = centred - (centred @ turned[:count].T) @ turned[:count]
    return {
        "mean": mean,
        "directions": np.asarray(turned[:count].T, np.float32),
        "spreads": np.maximum(variances, min(rest, floor) if width > count else max(floor, 1e-9)),
        "rest": np.maximum(np.square(left).mean(axis=0), LEAST_NOISE * rest),
    }


def _least(columns: Sequence[Column], table: Table, counts: Counts) -> npt.NDArray[np.int64]:
    """Return how many steps a cell of each input ``(input,)`` must have at least: 0 where it may be empty.

    Those are held to it of which the fewest training rows are empty, or next to it, as long as these rows together are a part of those that are called unlike all the same.
    """
    inputs, lacking = inputs_of(columns), []
    least, left = np.zeros(len(inputs), np.int64), EMPTY_SHARE * SHARE
    for place, column in enumerate(inputs):
        if column.kind is not None and column.kind.SHAPE in DEEP:
            steps = NEXT_TO_NOTHING + 1 if column.modality == "text" else 1
            lacking.append((float(_lacking(column, table, steps, counts).mean()), place, steps))
    for share, place, steps in sorted(lacking):
        left -= share
        if left >= 0:
            least[place] = steps
    return least


def _lacking(column: Column, table: Table, least: int, counts: Counts) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)`` whose cell is empty, or has fewer codes than ``least``."""
    assert column.kind is not None
    found = np.asarray(column.kind.missing(table.column(column.name)))
    return np.asarray(found | (counts[column.name] < least)) if least > 1 else found


def _empty(columns: Sequence[Column], arrays: Mapping[str, Any], table: Table, counts: Counts) -> npt.NDArray[np.bool_]:
    """Mark the rows ``(row,)`` where a deep column is empty, or next to it, that hardly any training row lacked."""
    found = np.zeros(table.rows, np.bool_)
    for place, column in enumerate(inputs_of(columns)):
        if "least" in arrays:
            least = int(arrays["least"][place])
        else:  # bundles of before
            least = column.kind is not None and column.kind.SHAPE in DEEP and column.missing < RARELY_EMPTY
        if least:
            found |= _lacking(column, table, int(least), counts)
    return found
