"""What can be done about groups that are treated unlike, each remedy with its price: thresholds for each group, and rows that count otherwise.

*A threshold for each group*: every group is given the favourable answer as often as all are together (parity; Hardt, Price and Srebro, NeurIPS 2016, https://arxiv.org/abs/1610.02413, section 3, for the idea of thresholds after
training), or is found as often where it is right to (equal true positive rates, their "equal opportunity"). *Re-weighting*: the model learns again from rows that count as if group and target had nothing to do with each other: weight(group, class) =
rows of the group x rows of the class / rows / rows of both (Kamiran and Calders, "Data preprocessing techniques for classification without discrimination", Knowledge and Information Systems 33, 2012, section 4.2,
https://doi.org/10.1007/s10115-011-0463-8). All are learned on rows that choices are made by, or on training rows, and measured on others.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.object_]


def parity_thresholds(chances: Floats, groups: Groups, share: float) -> dict[str, float]:
    """Return the threshold of each group above which a ``share`` of its rows lies, by its name.

    >>> parity_thresholds(np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8]), np.array(list("aaabbb"), object), 1 / 3)
    {'a': 0.3, 'b': 0.8}
    """
    return {str(name): _above(np.sort(chances[groups == name]), share) for name in np.unique(groups)}


def opportunity_thresholds(chances: Floats, truth: npt.NDArray[Any], groups: Groups, rate: float) -> dict[str, float]:
    """Return the threshold of each group above which a share ``rate`` of its rows of class 1 lies; a group without any takes 0.5.

    >>> opportunity_thresholds(np.array([0.1, 0.4, 0.6, 0.8]), np.array([1, 1, 1, 1]), np.array(list("aabb"), object), 0.5)
    {'a': 0.4, 'b': 0.8}
    """
    found = {}
    for name in np.unique(groups):
        own = np.sort(chances[(groups == name) & (truth == 1)])
        found[str(name)] = _above(own, rate) if len(own) else 0.5
    return found


def _above(rising: Floats, share: float) -> float:
    """Return the value that about a share of these reach."""
    count = round(share * len(rising))
    return float(rising[-count]) if count else float(np.nextafter(rising[-1], np.inf))


def answers_by(thresholds: dict[str, float], chances: Floats, groups: Groups) -> npt.NDArray[np.int64]:
    """Return the answers ``(row,)`` of 0 or 1; a group without a threshold takes 0.5.

    >>> answers_by({"a": 0.3}, np.array([0.3, 0.3]), np.array(["a", "b"], object))
    array([1, 0])
    """
    bounds = np.full(len(groups), 0.5)
    for name, threshold in thresholds.items():
        bounds[groups == name] = threshold
    return (chances >= bounds).astype(np.int64)


def weights_of(groups: Groups, truth: npt.NDArray[Any]) -> Floats:
    """Return what each row counts ``(row,)`` so that group and class have nothing to do with each other; the mean is 1.

    >>> weights_of(np.array(list("aaab"), object), np.array([1, 1, 0, 0])).round(3)
    array([0.857, 0.857, 1.714, 0.571])
    """
    _, group, group_rows = np.unique(groups, return_inverse=True, return_counts=True)
    _, code, class_rows = np.unique(truth, return_inverse=True, return_counts=True)
    both = np.zeros((len(group_rows), len(class_rows)))
    np.add.at(both, (group, code), 1.0)
    weights = group_rows[group] * class_rows[code] / len(truth) / both[group, code]
    return np.asarray(weights / weights.mean())
