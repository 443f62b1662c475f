"""A picture, a text and a number in one network: together they tell what none of them can tell, and it answers without any one."""

import io

import numpy as np
import pytest
from PIL import Image

import fathom
from fathom.baselines import constant

ROWS, TEST_ROWS = 600, 200
AT_BEST = 0.75  # of one column, or of two: the target is what at least two of three fair coins say


def notices(rows, seed):
    """Each column shows one coin: what is redder, what the weather is like, what is above nothing."""
    generator = np.random.default_rng(seed)
    coins = generator.random((rows, 3)) < 0.5
    pictures = []
    for red in coins[:, 0]:
        pixels = generator.integers(0, 120, (8, 8, 3)).astype(np.uint8)
        pixels[:, :, 0 if red else 2] += 120
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, "PNG")
        pictures.append(held.getvalue())
    places = generator.choice(["by the sea", "in the hills", "over the old town", "where we live"], rows)
    words = np.where(coins[:, 1], "warm and sunny", "cold and rainy")
    return {
        "picture": pictures,
        "text": [f"It was {word} {place} that day" for word, place in zip(words, places, strict=True)],
        "number": (np.where(coins[:, 2], 1.0, -1.0) * generator.uniform(0.3, 2.0, rows)).tolist(),
        "pinned": np.where(coins.sum(1) >= 2, "yes", "no").tolist(),
    }


@pytest.fixture(scope="module")
def model():
    return fathom.fit(
        notices(ROWS, 0), "pinned", columns={"text": "text"}, encoder={"picture": "vgg"}, keep="network",
        effort="quick", epochs=24, baselines=(constant,),
    )  # fmt: skip


def right(model, rows):
    answers = model.predict({name: cells for name, cells in rows.items() if name != "pinned"})
    return float(np.mean(np.asarray(answers.column("pinned")) == np.asarray(rows["pinned"])))


def test_together_they_tell_more_than_any_two_of_them_can(model):
    spread = 1.96 * (AT_BEST * (1 - AT_BEST) / TEST_ROWS) ** 0.5
    assert right(model, notices(TEST_ROWS, 1)) > AT_BEST + 2 * spread


@pytest.mark.parametrize("missing", ["picture", "text", "number"])
def test_without_any_one_it_tells_what_the_others_tell(model, missing):
    rows = notices(TEST_ROWS, 1)
    assert right(model, {**rows, missing: [None] * TEST_ROWS}) > AT_BEST - 0.12
