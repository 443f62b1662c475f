"""Keys and serial numbers are told from amounts, and hashed into buckets."""

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.modalities import identifier
from fathom.errors import OptionError

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "confidence", "reason"),
    [
        (pa.array(range(1, 41)), 0.97, "row numbers: all 40 cells differ by 1 from the one before"),
        (pa.array(range(100, 60, -1)), 0.1, "all cells differ, but they may be years"),
        (pa.array(range(1040, 1000, -1)), 0.97, "row numbers: all 40 cells differ by 1 from the one before"),
        (pa.array(range(0, 400, 10)), 0.2, "all 40 cells differ, but as whole numbers often do"),
        (
            pa.array([float(number) for number in range(30)]),
            0.97,
            "row numbers: all 30 cells differ by 1 from the one before",
        ),
        (
            pa.array(GENERATOR.permutation(30) + 1),
            0.96,
            "row numbers: each number from 1 to 30 once, in another order",
        ),
        (
            pa.array([f"C-{number * 37}" for number in range(30)]),
            0.97,
            "all 30 cells differ and look like codes, such as 'C-0'",
        ),
        (
            pa.array([str(4_917_100_000_000 + 7919 * number) for number in range(30)]),
            0.97,
            "all 30 cells differ and are long whole numbers, such as 4917100000000",
        ),
        (
            pa.array([f"{number * 7919:08}" for number in range(30)]),
            0.9,
            "all 30 cells differ and are codes written in digits, such as 00000000",
        ),
        (pa.array(range(1990, 2020)), 0.1, "all cells differ, but they may be years"),
        (pa.array(range(50, 74)), 0.1, "all cells differ, but they may be years"),
        (
            pa.array(1_600_000_000 + GENERATOR.permutation(4_000)[:30]),
            0.5,
            "all cells differ, but they may be moments, counted since 1970",
        ),
        (
            pa.array(GENERATOR.choice(1_000_000, 30, replace=False)),
            0.2,
            "all 30 cells differ, but as whole numbers often do",
        ),
        (pa.array(GENERATOR.normal(size=30)), 0.0, "decimal numbers"),
        (
            pa.array([f"{number}.5" for number in range(30)]),
            0.1,
            "all 30 cells differ, but they do not look like codes",
        ),
        (
            pa.array([f"a word {number}" for number in range(30)]),
            0.1,
            "all 30 cells differ, but they do not look like codes",
        ),
        (pa.array(["a1", "b2"] * 15), 0.1, "values repeat: 6.6 % of the cells are different"),
        (pa.array(["a1", "b2"]), 0.0, "fewer than 20 cells with a value"),
        (pa.array([True, False] * 20), 0.0, "values of type bool"),
    ],
)
def test_a_claim_tells_keys_from_amounts(values: pa.Array, confidence: float, reason: str) -> None:
    assert identifier.claim(values) == identifier.Claim(confidence, reason)


def test_cells_go_to_buckets_and_missing_ones_to_code_zero() -> None:
    values = identifier.sample(5_000, 0)
    state = identifier.learn(values)
    assert state.buckets == 4096 and identifier.parts(state, "key")[0].codes == 4097
    codes = identifier.encode(state, values)[:, 0]
    assert codes.min() >= 1 and len(np.unique(codes)) > 2_700  # 5,000 into 4,096: 2,888 are expected to be hit
    assert identifier.encode(state, pa.array([None, "", "NA"]))[:, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("distinct", "buckets"), [(1, 16), (16, 16), (17, 32), (1_000, 1_024), (9_999, 4_096)])
def test_there_are_about_as_many_buckets_as_keys(distinct: int, buckets: int) -> None:
    assert identifier.learn(pa.array([f"k{number}" for number in range(distinct)])).buckets == buckets


def test_a_key_goes_to_the_same_bucket_as_text_and_as_a_number() -> None:
    state = identifier.learn(pa.array([f"{number}" for number in range(100)]))
    buckets = [identifier.encode(state, pa.array(cells))[:, 0].tolist() for cells in (["42"], [42], [42.0], [" 42 "])]
    assert buckets[0] == buckets[1] == buckets[2] == buckets[3]


def test_features_have_at_most_255_codes() -> None:
    values = identifier.sample(5_000, 0)
    made = identifier.features(identifier.learn(values), values)
    assert made.sizes == (255,) and made.matrix.max() == 254 and made.matrix.min() == 1


def test_a_bucket_cannot_be_turned_back() -> None:
    with pytest.raises(OptionError) as caught:
        identifier.decode(identifier.learn(pa.array(["a"])), np.zeros((1, 17)))
    assert str(caught.value) == "An id column cannot be predicted. Choose another target, or --columns NAME=category."
