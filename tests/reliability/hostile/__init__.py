"""Hostile bundles, by the rows of the goals that they belong to: each a name and a function that writes it into a folder and returns its path."""

import random
from collections.abc import Iterator

from tests.reliability.hostile.amounts import bombs
from tests.reliability.hostile.archives import paths
from tests.reliability.hostile.graphs import graphs
from tests.reliability.hostile.making import BUNDLES, Case
from tests.reliability.hostile.texts import strings, tampered
from tests.reliability.hostile.weights import headers, pickles


def every(chance: random.Random, full: bool) -> Iterator[Case]:
    yield from paths(full)
    yield from headers()
    yield from graphs(full)
    yield from bombs()
    yield from tampered(chance, full)
    yield from strings(chance, full)
    yield from pickles()


__all__ = ["BUNDLES", "Case", "every"]
