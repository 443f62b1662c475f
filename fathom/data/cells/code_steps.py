"""Codes of many rows, one after the other, are laid out in steps: how many a row has, and where each code goes."""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

NEARLY_ALL = 0.95  # of the training rows have no more steps than are read


def steps_for(lengths: Numbers, fewest: int, most: int) -> int:
    """Return the power of two that nearly all training rows fit in, from ``fewest`` to ``most``.

    >>> steps_for(np.array([3, 9, 20]), 8, 512), steps_for(np.array([9_000]), 8, 512), steps_for(np.array([], np.int64), 8, 512)
    (32, 512, 8)
    """
    usual = int(np.ceil(np.quantile(lengths, NEARLY_ALL))) if len(lengths) else 0
    return max(fewest, min(most, 1 << max(usual - 1, 0).bit_length()))


def laid_out(codes: Numbers, starts: Numbers, steps: int) -> npt.NDArray[np.int32]:
    """Return ``(row, step)``, 0 after a row's end, of rows whose codes start at ``starts (row + 1,)``; what is beyond the last step is left out.

    >>> laid_out(np.array([5, 6, 7, 8]), np.array([0, 1, 4]), 2).tolist()
    [[5, 0], [6, 7]]
    """
    lengths = np.diff(starts)
    row, step = np.repeat(np.arange(len(lengths)), lengths), np.arange(len(codes)) - np.repeat(starts[:-1], lengths)
    laid = np.zeros((len(lengths), steps), np.int32)
    read = step < steps
    laid[row[read], step[read]] = codes[read]
    return laid
