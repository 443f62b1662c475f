"""Videos are seen as small pictures, what moves, and sound; broken ones are named."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.cells import clips
from fathom.data.modalities import video

pytest.importorskip("av")


def test_a_square_that_moves_is_seen_to_move():
    values = pa.array([clips.square(0, True), clips.square(4, True)])
    state = video.learn(values)
    compact, marks = video.settle(state, values, lambda done: None)
    assert not marks.any()
    made = video.features(state, compact)
    named = {name: made.matrix[:, place] for place, name in enumerate(made.names)}
    assert (named["movement mean"] > 1).all()
    assert (named["steps"] == 8).all()


@pytest.mark.parametrize("cell", [b"", b"a story", clips.square(0, True)[:200]], ids=["empty", "text", "cut short"])
def test_what_cannot_be_seen_is_nothing_and_says_why(cell):
    good = clips.square(0, True)
    state = video.learn(pa.array([good]))
    compact, marks = video.settle(state, pa.array([good, cell]), lambda done: None)
    assert marks.tolist() == [False, True]
    assert video.fault(state, cell)
    assert not video.encode(state, compact)[1].any()
    assert np.isnan(video.features(state, compact).matrix[1]).all()
