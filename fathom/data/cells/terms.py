"""How often which subwords stand in a text, as numbers for simple models: term frequency times inverse document frequency.

Why it exists: a linear model on these is the rival that a network reading text must beat, and often does not. Source: Spärck Jones, "A Statistical Interpretation of Term Specificity",
Journal of Documentation 28(1), 1972 (https://doi.org/10.1108/eb026526); the logarithm of the count: Salton and Buckley, "Term-Weighting Approaches in Automatic Text Retrieval",
Information Processing and Management 24(5), 1988. Terms are codes, and pairs of codes that stand side by side.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

LEAST_TEXTS = 3  # in which a term must stand
MOST_SHARE = 0.9  # of the texts: what stands in more says nothing
LARGEST_MATRIX = 32_000_000  # numbers of the training rows' features: 256 MB
MOST_TERMS = 1_000
FEWEST_TERMS = 100
SHIFT = 32  # a pair is one number: the first code, so many bits up, beside the second


@dataclass(frozen=True)
class Terms:
    """The terms in rising order, ``keys`` (`terms_of`), and what each weighs."""

    keys: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


def terms_of(codes: Numbers, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the terms of texts, whose codes stand one after the other from ``starts (text + 1,)``, and the text of each: codes, then pairs.

    >>> terms, texts = terms_of(np.array([5, 6, 7]), np.array([0, 2, 3]))
    >>> [divmod(int(term), 2**32) for term in terms], texts.tolist()
    ([(0, 5), (0, 6), (0, 7), (5, 6)], [0, 0, 1, 0])
    """
    text = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    beside = text[1:] == text[:-1]
    pairs = (codes[:-1][beside] << SHIFT) + codes[1:][beside]
    return np.concatenate([codes, pairs]), np.concatenate([text, text[1:][beside]])


def learn(codes: Numbers, starts: Numbers, rows: int, most: int = MOST_TERMS) -> Terms:
    """Choose at most ``most`` terms that part the texts most: those whose weighted frequency is spread widest over them; ``rows`` are those of the whole training table.

    >>> learned = learn(np.array([5, 6, 5, 7, 5, 6, 5, 7, 5, 6, 8, 7]), np.array([0, 2, 4, 6, 8, 10, 12]), 6)
    >>> learned.keys
    (5, 6, 7, 21474836486)
    """
    texts = len(starts) - 1
    terms, text = terms_of(codes, starts)
    # Count each term once a text.
    order = np.lexsort((text, terms))
    terms, text = terms[order], text[order]
    new = (
        np.concatenate([[True], (terms[1:] != terms[:-1]) | (text[1:] != text[:-1])])
        if len(terms)
        else np.ones(0, bool)
    )
    first = np.flatnonzero(new)
    often = np.diff(np.append(first, len(terms)))
    kinds, owner, standing = np.unique(terms[first], return_inverse=True, return_counts=True)
    weight = np.log((1 + texts) / (1 + standing)) + 1.0
    spread = np.bincount(owner, weights=np.log1p(often) ** 2, minlength=len(kinds)) * np.log(texts / standing)
    able = (standing >= min(LEAST_TEXTS, texts)) & (standing <= max(MOST_SHARE * texts, 1))
    limit = min(most, max(FEWEST_TERMS, LARGEST_MATRIX // max(rows, 1)))
    best = np.lexsort((kinds, -np.where(able, spread, -1.0)))[:limit]
    best = np.sort(best[able[best]])
    return Terms(tuple(kinds[best].tolist()), tuple(np.round(weight[best], 4).tolist()))


def counted(terms: Terms, codes: Numbers, starts: Numbers) -> npt.NDArray[np.float64]:
    """Return ``(text, term)``: how often each term stands in each text."""
    keys, texts = np.asarray(terms.keys, np.int64), len(starts) - 1
    matrix = np.zeros((texts, len(keys)))
    if len(keys):
        found, text = terms_of(codes, starts)
        place = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
        known = keys[place] == found
        cells, often = np.unique(text[known] * len(keys) + place[known], return_counts=True)
        matrix.reshape(-1)[cells] = often
    return matrix


def weighed(terms: Terms, codes: Numbers, starts: Numbers) -> npt.NDArray[np.float64]:
    """Return ``(text, term)``: the logarithm of how often, times the weight, each text of length 1."""
    matrix = np.log1p(counted(terms, codes, starts)) * np.asarray(terms.weights)
    lengths = np.sqrt(np.square(matrix).sum(axis=1, keepdims=True))
    return np.asarray(matrix / np.maximum(lengths, 1e-12), np.float64)
