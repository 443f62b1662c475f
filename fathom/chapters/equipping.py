"""What a bundle has besides its model: rows that stand in where a column is taken away, and what is usual of a row."""

import numpy as np

from fathom.bundle.answers import background, unlikeness
from fathom.chapters.prepared import Prepared


def equipment(prepared: Prepared, seed: int = 0) -> dict[str, bytes]:
    """Return the files: always `background.json`, and `unlike.safetensors` where there are rows enough to say what is usual.

    What is usual is learned on training rows and measured on validation rows; where these are the same, in folds, on every second row each.
    """
    files = {background.NAME: background.make(prepared.columns, prepared.train)}
    train, aside = prepared.train, prepared.validation
    if prepared.folds is not None:
        train, aside = (prepared.train.take(np.arange(start, prepared.train.rows, 2)) for start in (0, 1))
    learned = unlikeness.learn(prepared.columns, train, aside, seed)
    if learned is not None:
        files[unlikeness.NAME] = learned.to_bytes()
    return files
