"""Two models side by side: what is chance among rows that hang together stays chance, however many copies there are."""

import numpy as np

from fathom.evidence.comparing import spiegelhalter


def test_copies_of_a_row_make_no_probability_come_true_less():
    random = np.random.default_rng(0)
    alone, copied, as_groups = [], [], []
    for _ in range(300):
        late = random.uniform(0.05, 0.95, 200)
        answer = np.stack((1 - late, late), axis=1)
        truth = (random.random(200) < late).astype(np.int64)
        few = np.arange(200).repeat(9)
        alone.append(spiegelhalter(truth, answer))
        copied.append(spiegelhalter(truth[few], answer[few]))
        as_groups.append(spiegelhalter(truth[few], answer[few], few))
    beyond = [np.mean(np.abs(one) > 1.96) for one in (alone, copied, as_groups)]
    assert beyond[0] < 0.09 and beyond[2] < 0.09 < 0.4 < beyond[1]


def test_sums_of_groups_tell_probabilities_that_do_not_come_true():
    answer = np.repeat([[0.1, 0.9]], 1_000, axis=0)
    assert spiegelhalter(np.arange(1_000) % 2, answer, np.arange(1_000) // 4) > 3
