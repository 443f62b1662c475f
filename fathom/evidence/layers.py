"""What has each layer learned: how well a straight line could answer from it, which rows it puts together, and what excites its units.

A linear probe is a linear model that reads the answer off the outputs of one layer, which are left as they are: Alain and Bengio, "Understanding intermediate
layers using linear classifier probes", ICLR 2017 workshop (https://arxiv.org/abs/1610.01644). A layer whose probe scores higher has made the answer
easier to read, not stored more of it. The rows that excite a unit most say what it looks for: Zeiler and Fergus, ECCV 2014 (https://arxiv.org/abs/1311.2901).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.resampling import Resamples, dealt
from fathom.scoring import score

NAME = "layers"
QUESTION = "What has each layer learned?"
SOURCE = "Alain and Bengio, ICLR 2017 workshop, https://arxiv.org/abs/1610.01644"

FEWEST_ROWS = 40  # that a probe is fitted and scored on
PENALTIES = tuple(10.0**power for power in range(-2, 6))
UNITS, ROWS_A_UNIT = 4, 6

Floats = npt.NDArray[np.floating[Any]]


def probes(
    stages: Mapping[str, Floats],
    truth: npt.NDArray[Any],
    classes: int,
    seed: int = 0,
    groups: npt.NDArray[Any] | None = None,
) -> list[dict[str, Any]]:
    """Return each stage's probe, from input to output: ``{stage, units, metric, value, low, high}``.

    ``stages`` are features ``(row, feature)`` of rows that the network did not learn from, ``truth (row,)`` their codes below ``classes``, or numbers where that is 0. Two
    halves of the rows are each scored by a probe that was fitted on the other; the metric is accuracy or R². Rows that share a label of ``groups (row,)`` are in one half, and drawn together for the interval.

    >>> rows = np.random.default_rng(0).normal(size=(400, 3))
    >>> [one["value"] > 0.8 for one in probes({"first": rows[:, 1:], "last": rows}, (rows[:, 0] > 0).astype(int), 2)]
    [False, True]
    """
    known = np.flatnonzero(truth >= 0) if classes else np.arange(len(truth))
    if len(known) < FEWEST_ROWS:
        return []
    labels = None if groups is None else groups[known]
    half = dealt(len(known), labels, 2, seed)
    halves = known[half == 0], known[half == 1]
    if min(map(len, halves)) < FEWEST_ROWS // 4:
        return []
    rows = np.concatenate(halves)
    draws = Resamples.draw(len(rows), seed=seed, groups=None if groups is None else groups[rows])
    metric = "accuracy" if classes else "r2"
    found = []
    for stage, features in stages.items():
        answers = [_probe(features[one], truth[one], features[other], classes) for other, one in (halves, halves[::-1])]
        interval = score(truth[rows], np.concatenate(answers), names=[metric], resamples=draws)[metric]
        found.append({"stage": stage, "units": features.shape[1], "metric": metric, **interval.as_json()})
    return found


def _probe(features: Floats, truth: npt.NDArray[Any], others: Floats, classes: int) -> Floats:
    """Return the answers ``(row, class)`` or ``(row,)`` of a ridge regression to other rows."""
    from sklearn.linear_model import RidgeCV

    centre, spread = features.mean(0), features.std(0) + 1e-6
    wanted = np.eye(classes)[truth] if classes else truth.astype(np.float64)
    fitted = RidgeCV(PENALTIES).fit((features - centre) / spread, wanted)
    answer = fitted.predict((others - centre) / spread)
    if not classes:
        return np.asarray(answer)
    best = np.eye(classes)[np.asarray(answer).argmax(1)]
    return np.asarray((best + 1e-3) / (best + 1e-3).sum(1, keepdims=True))


def together(features: Floats) -> Floats:
    """Return a map ``(row, 2)`` of rows by their outputs ``(row, feature)`` of a layer: the two directions in which they differ most.

    Principal components, Pearson, Philosophical Magazine 2(11), 1901; each is scaled to the range -1 to 1, and its sign is the one that makes its largest weight positive.
    """
    centred = np.asarray(features, np.float64) - features.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    places = np.zeros((len(centred), 2))
    places[:, : len(directions)] = centred @ directions.T
    return np.asarray(places / np.maximum(np.abs(places).max(0), 1e-12))


def exciting(peaks: Floats, truth: npt.NDArray[Any], classes: int) -> list[dict[str, Any]]:
    """Return the units ``{unit, rows}`` of a stage that tell the classes apart best, with the rows that excite each most, the highest first.

    ``peaks (row, unit)``. How well a unit tells classes apart is the share of its variance that lies between them (Fisher's correlation ratio); for a number it is the square of its correlation.
    """
    centred = peaks - peaks.mean(0)
    total = (centred**2).sum(0) + 1e-12
    if classes:
        belongs = np.eye(classes)[np.maximum(truth, 0)] * (truth >= 0)[:, None]
        between = ((belongs.T @ centred) ** 2 / np.maximum(belongs.sum(0), 1.0)[:, None]).sum(0)
    else:
        wanted = truth - truth.mean()
        between = (wanted @ centred) ** 2 / max(float((wanted**2).sum()), 1e-12)
    best = np.argsort(-(between / total), kind="stable")[:UNITS]
    return [
        {"unit": int(unit), "rows": np.argsort(-peaks[:, unit], kind="stable")[:ROWS_A_UNIT].tolist()} for unit in best
    ]
