"""Occlusion: by how much the answer falls when one piece is taken away and all others stay.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2 (https://arxiv.org/abs/1311.2901); for words: Li, Monroe and
Jurafsky, 2016 (https://arxiv.org/abs/1612.08220). Two pieces that say the same hide each other: either may go and nothing changes.
"""

import numpy as np

from fathom.reasons.contract import Question, Shares, ends

NAME = "occlusion"
SUMMARY = "how much the answer falls without the piece"
SOURCE = "Zeiler and Fergus, ECCV 2014, https://arxiv.org/abs/1311.2901"


def shares(question: Question) -> Shares:
    """Ask once without each piece.

    >>> from fathom.reasons.contract import Part
    >>> found = shares(Question([Part("x", "x"), Part("y", "y")], lambda kept: 3.0 * kept[:, 0] - kept[:, 1]))
    >>> found.values.tolist()
    [3.0, -1.0]
    """
    count = len(question.parts)
    base, answer = ends(question)
    without = question.value(~np.eye(count, dtype=np.bool_)) if count else np.zeros(0)
    return Shares(answer - without, base, answer, count + 2)
