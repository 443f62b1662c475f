"""SHAP values: the answer shared out among the pieces, so that the shares sum to the answer less the base.

The share of a piece is its mean effect when pieces are put back one after the other, over all orders (Shapley, 1953). Few pieces: every set of them is asked, and
the values are exact. Many: sets are drawn, each with its opposite, with the weights of the kernel, and the values are the least squares that sum as they must. Source: Lundberg and Lee, "A
Unified Approach to Interpreting Model Predictions", NeurIPS 2017, section 4.1, theorem 2 (https://arxiv.org/abs/1705.07874); opposites: Covert and Lee, AISTATS 2021
(https://arxiv.org/abs/2012.01536).
"""

from math import comb

import numpy as np

from fathom.reasons.contract import Floats, Kept, Question, Shares, ends

NAME = "shap"
SUMMARY = "the answer shared out: shares sum to it less the base"
SOURCE = "Lundberg and Lee, NeurIPS 2017, https://arxiv.org/abs/1705.07874"

MOST_EXACT = 12  # pieces; 4,096 sets


def shares(question: Question) -> Shares:
    """Share the answer out among the pieces: exactly where every set of them may be asked, else by a sample of sets.

    >>> from fathom.reasons.contract import Part
    >>> found = shares(Question([Part("x", "x"), Part("y", "y")], lambda kept: 1.0 + 4.0 * kept[:, 0] * kept[:, 1]))
    >>> found.values.tolist(), found.base, found.answer
    ([2.0, 2.0], 1.0, 5.0)
    """
    count = len(question.parts)
    if count == 0:
        base, answer = ends(question)
        return Shares(np.zeros(0), base, answer, 2)
    if count <= MOST_EXACT and 2**count <= max(question.most, 4):
        return _exact(question, count)
    return _sampled(question, count)


def _exact(question: Question, count: int) -> Shares:
    sets = (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(np.bool_)
    values = question.value(sets)
    sizes = sets.sum(axis=1)
    weights = np.array([1.0 / (count * comb(count - 1, size)) if size < count else 0.0 for size in range(count + 1)])
    found = np.empty(count)
    for piece in range(count):
        without = np.flatnonzero(~sets[:, piece])
        found[piece] = float(((values[without + (1 << piece)] - values[without]) * weights[sizes[without]]).sum())
    return Shares(found, float(values[0]), float(values[-1]), len(sets))


def _sampled(question: Question, count: int) -> Shares:
    base, answer = ends(question)
    sets, weights = _drawn(count, max(question.most - 2, 2 * count), question.seed)
    values = question.value(sets)
    # Least squares of values - base on the sets, so that the shares sum to answer - base: the last piece takes what is left.
    design = sets[:, :-1].astype(np.float64) - sets[:, -1:]
    wanted = values - base - sets[:, -1] * (answer - base)
    scale = np.sqrt(weights)
    solved, *_ = np.linalg.lstsq(design * scale[:, None], wanted * scale, rcond=None)
    found = np.append(solved, answer - base - solved.sum())
    return Shares(found, base, answer, len(sets) + 2)


def _drawn(count: int, most: int, seed: int) -> tuple[Kept, Floats]:
    """Return sets of pieces and what each counts: all sets of a size while there is room for them, from the outside inwards, and pairs of opposites drawn from the rest."""
    generator = np.random.default_rng(seed)
    mass = {size: (count - 1) / (size * (count - size)) for size in range(1, count)}  # of all sets of a size together
    chosen, weights, left = [], [], most
    sizes = list(range(1, count // 2 + 1))
    while sizes:
        size = sizes[0]
        pair = 1 if 2 * size == count else 2
        many = comb(count, size)
        if pair * many > left:
            break
        whole = _all_of(count, size)
        for half in (whole, ~whole)[:pair]:
            chosen.append(half)
            weights.append(np.full(many, mass[size] / many))
        left -= pair * many
        sizes.pop(0)
    if sizes and left >= 2:
        chances = np.array([mass[size] * (1 if 2 * size == count else 2) for size in sizes])
        drawn = generator.choice(sizes, left // 2, p=chances / chances.sum())
        order = generator.random((len(drawn), count)).argsort(axis=1).argsort(axis=1)
        half = order < drawn[:, None]
        chosen += [half, ~half]
        weights += [np.full(len(half), chances.sum() / (2 * len(half)))] * 2
    return np.concatenate(chosen), np.concatenate(weights)


def _all_of(count: int, size: int) -> Kept:
    from itertools import combinations

    places = np.array(list(combinations(range(count), size)))
    sets = np.zeros((len(places), count), np.bool_)
    np.put_along_axis(sets, places, True, axis=1)
    return sets
