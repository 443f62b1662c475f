"""How sure a bundle says that it is, and whether that comes true."""

import numpy as np
import pytest

import fathom
from fathom.bundle.answers import doubting
from fathom.bundle.answers.tempering import tempered
from fathom.chapters.calibrating import best_temperature, sure_to_help


def planted(rows, seed, heat=1.0, classes=3):
    """Probabilities that come true, and what a model says that is ``heat`` times too sure of itself."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(rows, classes))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([random.choice(classes, p=row) for row in chances])
    return tempered(chances, 1 / heat), truth


def test_sets_hold_the_true_class_as_often_as_promised_for_every_class():
    held = []
    for seed in range(200):
        learned, known = planted(300, seed)
        asked, truth = planted(300, seed + 1_000)
        sets = doubting.sets_of(asked, doubting.thresholds(learned, known))
        held.append([sets[truth == code, code].mean() for code in range(3)])
    assert (np.abs(np.mean(held, axis=0) - 0.9) < 0.02).all()


def test_too_few_rows_promise_nothing_so_every_class_may_be():
    assert doubting.thresholds(np.array([[0.9, 0.1]] * 5), np.zeros(5, int)) == [0.0, 0.0]


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
def test_the_temperature_of_a_model_too_sure_or_too_shy_is_found(heat):
    said, truth = planted(4_000, 1, heat)
    assert best_temperature(said, truth) == pytest.approx(heat, rel=0.15)


def test_a_temperature_is_kept_only_where_it_is_sure_to_help():
    assert sure_to_help(*planted(500, 2, heat=3.0))
    kept = [sure_to_help(*planted(300, seed)) for seed in range(40)]
    assert np.mean(kept) < 0.25


def test_a_bundle_says_where_it_is_not_sure(late_network, flights):
    table = late_network.predict(flights, doubt=True)
    doubts = set(table.column("late_doubt").to_pylist())
    assert doubts <= {"", "not sure: no or yes", "none fits", "nothing like this was seen"} and len(doubts) > 1
    assert "late_doubt" not in late_network.predict(flights).names


def test_a_bundle_of_before_answers_without_temperature_and_thresholds(late_network, tmp_path):
    import json

    from fathom.bundle import manifest

    files = {name: content for name, content in late_network.files.items() if name != manifest.NAME}
    described = json.loads(files["model.json"])
    del described["temperatures"], described["thresholds"]
    files["model.json"] = json.dumps(described).encode()
    model = fathom.Model.of({**files, manifest.NAME: manifest.make(files)})
    assert model.description.thresholds == {}
