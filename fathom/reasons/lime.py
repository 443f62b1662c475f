"""LIME: a straight line through what the model answers near the row, where near is to have most of the row's pieces.

Sets of pieces are drawn; each counts by how many pieces it has left; a ridge regression of the answers on which pieces are there gives each a weight. Source: Ribeiro, Singh and
Guestrin, "Why Should I Trust You?", KDD 2016, sections 3.3 and 3.4 (https://arxiv.org/abs/1602.04938). Its weights need not sum to the answer.
"""

import numpy as np

from fathom.reasons.contract import Question, Shares, ends

NAME = "lime"
SUMMARY = "the slope of a straight line through the answers near the row"
SOURCE = "Ribeiro, Singh and Guestrin, KDD 2016, https://arxiv.org/abs/1602.04938"

WIDTH = 0.25  # of the kernel, in units of the distance 1 - sqrt(share of pieces that are left), as the authors have it for words and pictures
RIDGE = 1.0


def shares(question: Question) -> Shares:
    """Draw sets of pieces, weigh them by nearness to the row, and fit the line.

    >>> from fathom.reasons.contract import Part
    >>> found = shares(Question([Part(name, name) for name in "xyz"], lambda kept: 3.0 * kept[:, 0] - kept[:, 1], most=400))
    >>> bool(np.abs(found.values - [3.0, -1.0, 0.0]).max() < 0.2)
    True
    """
    count = len(question.parts)
    base, answer = ends(question)
    if count == 0:
        return Shares(np.zeros(0), base, answer, 2)
    generator = np.random.default_rng(question.seed)
    many = max(question.most - 3, count + 2)
    gone = generator.integers(1, count + 1, many)  # as many pieces are gone as chance says, and which is chance
    kept = generator.random((many, count)).argsort(axis=1).argsort(axis=1) >= gone[:, None]
    kept = np.concatenate([np.ones((1, count), np.bool_), kept])
    values = question.value(kept)
    distance = 1.0 - np.sqrt(kept.mean(axis=1))
    weights = np.exp(-np.square(distance / WIDTH))
    weights /= weights.mean()
    there = kept.astype(np.float64)
    middle, level = np.average(there, axis=0, weights=weights), np.average(values, weights=weights)
    design, wanted = (there - middle) * np.sqrt(weights)[:, None], (values - level) * np.sqrt(weights)
    found = np.linalg.solve(design.T @ design + RIDGE * np.eye(count), design.T @ wanted)
    return Shares(found, base, answer, many + 3)
