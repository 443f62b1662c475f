"""Wrong labels are found where they were planted, a hard question has none, and dropping them helps a model that learned them."""

import numpy as np
import pytest

from fathom.evidence import suspects
from tests.evidence.planted import nearest, regression_case

CLASSES = ("no", "yes")


def case_of(flipped, steep, seed=0, **more):
    """Yes is the likelier, the larger a number: almost surely where ``steep``; a share of the labels is ``flipped``."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(2_000, 1))
    chance = 1 / (1 + np.exp(-steep * x[:, 0]))
    truth = (random.random(2_000) < chance).astype(np.int64)
    wrong = random.random(2_000) < flipped
    truth = np.where(wrong, 1 - truth, truth)

    def fit(name, x, y, weights=None):
        def knowing(asked):
            return 1 / (1 + np.exp(-steep * asked[:, 0]))

        answer = nearest(name, x, y) if name == "nearest" else knowing
        return lambda asked: np.stack([1 - np.clip(answer(asked), 0.02, 0.98), np.clip(answer(asked), 0.02, 0.98)], 1)

    return regression_case({"x": x[:, 0]}, truth, 1_000, fit, CLASSES, names=("knowing", "nearest"), **more), wrong


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_are_found_and_a_hard_question_has_few(seed):
    case, wrong = case_of(0.05, steep=8.0, seed=seed)
    found = suspects.run(case)
    assert found.value == pytest.approx(0.045, abs=0.02), found.sentence
    assert "some are merely unlucky" in found.sentence and "labelled wrongly" not in found.sentence
    hits = [wrong[int(row["where"].split()[-1]) - 1] for row in found.rows]
    assert len(hits) == 20 and np.mean(hits) > 0.9
    hard, _ = case_of(0.0, steep=1.0, seed=seed)
    assert suspects.run(hard).value < 0.08  # and not the quarter of labels that the model holds for less likely


def test_few_rows_list_few():
    case, _ = case_of(0.1, steep=8.0)
    from dataclasses import replace

    from fathom.evidence.contract import Part

    few = Part(case.sealed.table.take(np.arange(60)), case.sealed.truth[:60], case.sealed.answer[:60])
    assert len(suspects.run(replace(case, sealed=few, chosen=None)).rows) <= 3


def test_dropping_suspects_helps_a_model_that_learned_them_by_heart():
    from dataclasses import replace

    case, _ = case_of(0.15, steep=8.0)
    shipped = replace(case, shipped="nearest")
    found = suspects.run(shipped)
    assert found.plot["dropping"]["high"] < 0 and "Without the" in found.sentence
    assert suspects.run(replace(case, refit=None)).plot["dropping"] is None


def test_a_suspect_number_is_written_as_people_write_it():
    truth = np.linspace(100_000.0, 300_000.0, 400)
    truth[350] = 1_183_850.0  # a slip of the keys

    def fit(name, x, y, weights=None):
        return lambda asked: 100_000 + 200_000 * asked[:, 0] / 399

    case = regression_case({"place": np.arange(400.0)}, truth + 1e-4, 200, fit)
    found = suspects.run(case)
    assert "target is 1,183,850 and the model is sure of 275,439." in found.sentence
    assert (found.rows[0]["stated"], found.rows[0]["likely"]) == ("1,183,850", "275,439")
