"""What a bundle has besides its model: rows that stand in where a column is taken away, and what is usual of a row."""

import numpy as np

from fathom.bundle.answers import background, unlikeness
from fathom.chapters.prepared import Prepared
from fathom.data.rows.splitting import drawn
from fathom.settings import Settings


def equipment(prepared: Prepared, settings: Settings) -> dict[str, bytes]:
    """Return the files: always `background.json`, and `unlike.safetensors` where there are rows enough to say what is usual."""
    files = {background.NAME: background.make(prepared.columns, prepared.train)}
    learned = usual_of(prepared, settings)
    if learned is not None:
        files[unlikeness.NAME] = learned.to_bytes()
    return files


def usual_of(prepared: Prepared, settings: Settings) -> unlikeness.Unlikeness | None:
    """Learn what is usual on training rows, and measure it on validation rows; where these are the same, in folds, on every other row each.

    Training rows that are left over measure as well, unless rows were parted by groups or by time: they are then no rows like those to come.
    """
    train, aside = prepared.train, prepared.validation
    if prepared.folds is not None:
        order = drawn(prepared.train)
        train, aside = (prepared.train.take(np.sort(order[start::2])) for start in (0, 1))
    lend = settings.group is None and settings.time is None
    return unlikeness.learn(prepared.columns, train, aside, settings.seed, lend)


__all__ = ["equipment", "usual_of"]
