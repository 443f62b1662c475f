"""One suite over every baseline: what the contract says, in behaviour."""

import ast
import dataclasses
import importlib
import pkgutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import datasets
from threadpoolctl import threadpool_limits

import fathom.baselines
from fathom.baselines import BASELINES, boosting, by_name, constant
from fathom.baselines.checking import hostile, planted, problems
from fathom.baselines.choosing import loss, part
from fathom.baselines.contract import Fragment, Truth
from fathom.baselines.graph import Drawing
from fathom.data.modalities.contract import Features
from fathom.errors import OptionError

INSTALLED = [baseline for baseline in BASELINES if baseline.available()]
LEARNING = [baseline for baseline in INSTALLED if baseline is not constant]


def named(baselines):
    return pytest.mark.parametrize("baseline", baselines, ids=[baseline.NAME for baseline in baselines])


def numbers(matrix, values, classes=0, weights=None):
    matrix = np.asarray(matrix, dtype=float)
    names = tuple(f"column {number}" for number in range(matrix.shape[1]))
    return Features(matrix, names, (0,) * len(names)), Truth(np.asarray(values), classes, weights)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Let trees stop early: what is tried here does not need hundreds of them."""
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 60)


def rows_of(table, rows):
    features, truth = table
    return Features(features.matrix[rows], features.names, features.sizes), part(truth, rows)


def fit(baseline, table, check, *, seed=0, seconds=None):
    return baseline.fit(*table, *check, seed=seed, seconds=seconds)


def same_arrays(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


@named(INSTALLED)
def test_every_baseline_keeps_the_contract(baseline):
    assert problems(baseline) == []


def broken(**changes):
    """The constant with something broken: what ``problems`` must notice."""
    names = ("NAME", "SUMMARY", "SOURCE", "available", "fit", "predict", "nodes")
    return SimpleNamespace(**{name: getattr(constant, name) for name in names} | changes)


def changed(**fields):
    return lambda *rows, seed, seconds: dataclasses.replace(
        constant.fit(*rows, seed=seed, seconds=seconds), **{name: value() for name, value in fields.items()}
    )


def writes_on_its_rows(train, truth, validation, check, *, seed, seconds):
    train.matrix[0] = 0.0
    return constant.fit(train, truth, validation, check, seed=seed, seconds=seconds)


def predicts_and_writes(fitted, matrix):
    matrix[:] = 0.0
    return constant.predict(fitted, matrix)


def doubled(fitted, source, answer):
    if fitted.classes:
        return constant.nodes(fitted, source, answer)
    drawing = Drawing(answer)
    drawing.repeat(source, 2 * fitted.arrays["answer"], output=answer)
    return drawing.fragment()


def named_elsewhere(fitted, source, answer):
    drawing = Drawing("elsewhere")
    values = fitted.arrays["answer"]
    drawing.repeat(source, values[None] if fitted.classes else values, output=answer)
    return Fragment(tuple(drawing.nodes), tuple(drawing.initializers))


draws = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SOURCE": ""}, "SOURCE must be a text that is not empty."),
        ({"fit": writes_on_its_rows}, "With 0 classes: 'fit' changed the rows it was given."),
        ({"predict": predicts_and_writes}, "With 0 classes: 'predict' changed the rows it was given."),
        (
            {"fit": changed(arrays=lambda: {"answer": draws.normal(size=1)})},
            "With 0 classes: The same rows and seed gave two different arrays 'answer'.",
        ),
        (
            {"fit": changed(arrays=lambda: {"answer": np.array([0.0]), "text": np.array(["a"])})},
            "With 0 classes: The array 'text' must be a NumPy array of numbers or yes/no.",
        ),
        (
            {"fit": changed(notes=lambda: {"loss": float("nan")})},
            "With 0 classes: 'notes' must hold only what JSON can: texts, finite numbers, yes/no, null, and lists of them.",
        ),
        (
            {"fit": changed(baseline=lambda: "other")},
            "With 2 classes: 'fit' must pass on the name and the number of classes, not ('other', 2).",
        ),
        (
            {"predict": lambda fitted, matrix: np.zeros((len(matrix), 9))},
            "With 0 classes: 'predict' answers with the shape (400, 9) instead of (400,).",
        ),
        (
            {"predict": lambda fitted, matrix: constant.predict(fitted, matrix) * np.nan},
            "With 3 classes: 'predict' answers with numbers that are not finite.",
        ),
        (
            {"predict": lambda fitted, matrix: constant.predict(fitted, matrix) * 2},
            "With 2 classes: Class probabilities must be at least 0 and sum to 1 in each row.",
        ),
        (
            {"predict": lambda fitted, matrix: constant.predict(fitted, matrix) + 5},
            "With 0 classes: The answers are worse than the same answer for every row, "
            "though the truth hangs on the columns.",
        ),
        (
            {"predict": lambda fitted, matrix: constant.predict(fitted, matrix) + (len(matrix) == 1)},
            "With 0 classes: A row's answer hangs on the rows beside it.",
        ),
        (
            {"predict": lambda fitted, matrix: constant.predict(fitted, matrix) if len(matrix) else np.zeros(3)},
            "With 0 classes: 'predict' must answer no rows with no answers.",
        ),
        (
            {"fit": changed(estimator=lambda: lambda matrix: np.full(len(matrix), 9.0))},
            "With 0 classes: 'predict' and the estimator differ.",
        ),
        (
            {"nodes": named_elsewhere},
            "With 0 classes: ONNX names must start with the name of the answer, unlike 'elsewhere/Shape_0'.",
        ),
        ({"nodes": doubled}, "With 0 classes: 'predict' and ONNX differ."),
    ],
)
def test_a_broken_baseline_is_caught(changes, sentence):
    assert sentence in problems(broken(**changes))


def test_a_baseline_whose_library_is_missing_is_not_tried():
    assert problems(broken(available=lambda: False, fit=None)) == []


def test_every_baseline_in_the_folder_is_listed():
    modules = [
        importlib.import_module(f"fathom.baselines.{found.name}")
        for found in pkgutil.iter_modules(fathom.baselines.__path__)
    ]
    assert {module for module in modules if "NAME" in vars(module)} == set(BASELINES)


@named(BASELINES)
def test_baselines_do_not_import_each_other(baseline):
    members = {module.__name__.rsplit(".", 1)[1] for module in BASELINES}
    tree = ast.parse(Path(baseline.__file__).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [
            *(alias.name.rsplit(".", 1)[-1] for alias in node.names),
            (getattr(node, "module", "") or "").rsplit(".", 1)[-1],
        ]
    }
    assert not imported & members


def test_a_baseline_is_found_by_name():
    assert by_name("LightGBM").NAME == "LightGBM"


def test_an_unknown_baseline_is_answered_with_the_nearest_name():
    with pytest.raises(OptionError) as caught:
        by_name("boosted tree")
    assert str(caught.value) == (
        "There is no baseline 'boosted tree'. Did you mean 'boosted trees'? The baselines are: "
        "'constant', 'linear', 'nearest neighbours', 'boosted trees', 'LightGBM'."
    )


REAL = {
    "breast cancer": (datasets.load_breast_cancer, 2, 0.4),
    "diabetes": (datasets.load_diabetes, 0, 0.9),
    "wine": (datasets.load_wine, 3, 0.4),
}


@pytest.mark.parametrize("name", REAL)
@named(LEARNING)
def test_a_baseline_beats_the_constant_on_real_rows(baseline, name):
    load, classes, share = REAL[name]
    matrix, values = load(return_X_y=True)
    if not classes:
        values = (values - values.mean()) / values.std()
    order = np.random.default_rng(0).permutation(len(matrix))
    table = numbers(matrix, values, classes)
    train, check, test = (
        rows_of(table, part) for part in np.split(order, [int(len(order) * 0.6), int(len(order) * 0.8)])
    )
    base, fitted = fit(constant, train, check), fit(baseline, train, check)
    losses = [loss(kind.predict(got, test[0].matrix), test[1]) for kind, got in ((baseline, fitted), (constant, base))]
    assert losses[0] < share * losses[1]


@named(LEARNING)
def test_twenty_six_classes_can_be_told_apart(baseline, monkeypatch):
    if "SETTINGS" in vars(baseline):
        monkeypatch.setattr(baseline, "SETTINGS", baseline.SETTINGS[1:2])
    draw = np.random.default_rng(0)
    codes = np.repeat(np.arange(26), 20)
    table = numbers(np.stack([codes % 6, codes // 6], axis=1) + draw.normal(size=(520, 2)) * 0.1, codes, 26)
    order = draw.permutation(520)
    check = rows_of(table, order[400:])
    fitted = fit(baseline, rows_of(table, order[:400]), check)
    answer = baseline.predict(fitted, check[0].matrix)
    assert answer.shape == (120, 26)
    assert (answer.argmax(axis=1) == check[1].values).mean() > 0.6


@named(LEARNING)
@pytest.mark.parametrize("classes", [0, 2])
def test_one_column_is_enough(baseline, classes):
    column = np.linspace(-1, 1, 200)
    table = numbers(column[:, None], (column > 0).astype(int) if classes else column, classes)
    train, check = rows_of(table, np.arange(0, 200, 2)), rows_of(table, np.arange(1, 200, 2))
    answer = baseline.predict(fit(baseline, train, check), check[0].matrix)
    assert loss(answer, check[1]) < 0.25


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 3])
def test_columns_that_say_nothing_do_no_harm(baseline, classes):
    features, truth = planted(classes, 200, seed=4)
    empty = np.full((200, 1), np.nan)
    silent = Features(np.hstack([features.matrix, empty]), (*features.names, "empty"), (*features.sizes, 0))
    check = planted(classes, 100, seed=5)
    unseen = Features(np.hstack([check[0].matrix, empty[:100]]), silent.names, silent.sizes)
    fitted = fit(baseline, (silent, truth), (unseen, check[1]))
    surprising = unseen.matrix.copy()
    surprising[:, 3:] = 123.0  # the constant column and the empty one now hold something
    assert np.allclose(
        baseline.predict(fitted, surprising)[..., None], baseline.predict(fitted, unseen.matrix)[..., None]
    )


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 2])
def test_when_no_column_says_anything_the_answer_is_that_of_the_constant(baseline, classes):
    values = np.arange(60) % 3 == 0
    table = numbers(np.full((60, 2), 4.0), values.astype(int) if classes else values.astype(float), classes)
    answer = baseline.predict(fit(baseline, table, table), np.array([[4.0, 4.0], [9.0, np.nan]]))
    assert np.allclose(answer, [[2 / 3, 1 / 3]] * 2 if classes else [1 / 3] * 2, atol=0.01)


@named(INSTALLED)
def test_a_class_that_training_rows_lack_gets_a_small_probability(baseline):
    features, truth = planted(2, 200, seed=1)
    table, check = (features, Truth(truth.values * 2, 4)), planted(3, 100, seed=2)  # classes 0 and 2 of 4, then 0, 1, 2
    check = check[0], Truth(check[1].values, 4)
    answer = baseline.predict(fit(baseline, table, check), check[0].matrix)
    assert np.allclose(answer.sum(axis=1), 1)
    assert answer[:, [1, 3]].max() < 0.01
    assert np.isfinite(loss(answer, check[1]))


@named(INSTALLED)
def test_one_class_in_all_training_rows_is_the_answer(baseline):
    features, truth = planted(2, 100, seed=1)
    table = features, Truth(truth.values * 0 + 1, 3)
    assert baseline.predict(fit(baseline, table, table), features.matrix)[:, 1].min() > 0.98


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 2])
def test_six_rows_are_enough_to_answer(baseline, classes):
    table = numbers(np.arange(12).reshape(6, 2), [0, 1, 0, 1, 1, 0] if classes else [0.0, 1, 2, 3, 4, 5], classes)
    assert np.isfinite(baseline.predict(fit(baseline, table, rows_of(table, [0, 1])), table[0].matrix)).all()


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 2])
def test_without_validation_rows_the_first_setting_is_taken(baseline, classes):
    table = planted(classes, 200, seed=1)
    fitted = fit(baseline, table, rows_of(table, np.arange(0)))
    assert loss(baseline.predict(fitted, table[0].matrix), table[1]) <= loss(
        constant.predict(fit(constant, table, table), table[0].matrix), table[1]
    )


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 2])
def test_a_row_counts_by_its_weight(baseline, classes):
    draw = np.random.default_rng(0)
    ones = np.arange(400) % 2
    table = numbers(draw.normal(size=(400, 2)), ones if classes else ones.astype(float), classes)
    means = []
    for weights in (None, 0.1 + 1.8 * ones):  # rows that say 1 count nineteen times as much as those that say 0
        features, truth = table[0], Truth(table[1].values, classes, weights)
        train, check = (rows_of((features, truth), rows) for rows in (np.arange(300), np.arange(300, 400)))
        answer = baseline.predict(fit(baseline, train, check), draw.normal(size=(50, 2)))
        means.append((answer[:, 1] if classes else answer).mean())
    assert means == pytest.approx([0.5, 0.95], abs=0.08)


@named(LEARNING)
def test_with_no_time_one_setting_is_tried(baseline):
    table, check = planted(2, 200, seed=1), planted(2, 100, seed=2)
    assert fit(baseline, table, check, seconds=0.0).notes["settings tried"] == 1
    assert fit(baseline, table, check).notes["settings tried"] > 1


SETTINGS = ("PENALTIES", "CLASS_PENALTIES", "NEIGHBOURS", "DRAWN_TO_ALL", "SETTINGS")


@named(INSTALLED)
@pytest.mark.parametrize("classes", [0, 2])
def test_validation_rows_choose_settings_and_nothing_else(baseline, classes, monkeypatch):
    for name in SETTINGS:
        if name in vars(baseline):
            monkeypatch.setattr(baseline, name, getattr(baseline, name)[-1:])
    table, check, other = (planted(classes, rows, seed=seed) for rows, seed in ((300, 1), (100, 2), (50, 3)))
    one, two = fit(baseline, table, check).arrays, fit(baseline, table, other).arrays
    if "tree.root" not in one:
        assert same_arrays(one, two)
        return
    fewer = min(len(one["tree.root"]), len(two["tree.root"]))  # the number of rounds is a choice; each tree is not
    leaves = int(one["tree.leaves"][:fewer].sum())
    assert fewer > 0
    assert np.array_equal(one["leaf.value"][:leaves], two["leaf.value"][:leaves])
    assert np.array_equal(one["split.threshold"][: leaves - fewer], two["split.threshold"][: leaves - fewer])


@named(INSTALLED)
def test_the_number_of_threads_changes_no_bit(baseline, monkeypatch):
    if "CELLS_OF_ONE_THREAD" in vars(baseline):
        monkeypatch.setattr(baseline, "CELLS_OF_ONE_THREAD", 0)
    monkeypatch.setattr(boosting, "MOST_ROUNDS", 10)  # threads that wait for a busy processor make each round long
    if "SETTINGS" in vars(baseline):
        monkeypatch.setattr(baseline, "SETTINGS", baseline.SETTINGS[:1])
    table, check = planted(2, 2_000, seed=1), planted(2, 500, seed=2)
    results = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            results.append(fit(baseline, table, check).arrays)
    assert same_arrays(*results)


@named(LEARNING)
def test_columns_that_hold_infinity_and_enormous_numbers_can_be_learned_from(baseline):
    features, truth = planted(2, 300, seed=1)
    spoilt = Features(
        np.where(features.sizes, features.matrix, hostile(features, 300, seed=2)), features.names, features.sizes
    )
    fitted = fit(baseline, (spoilt, truth), planted(2, 100, seed=2))
    assert np.isfinite(baseline.predict(fitted, features.matrix)).all()


@named(INSTALLED)
def test_nothing_is_printed(baseline, capfd):
    fit(baseline, planted(2, 100, seed=1), planted(2, 50, seed=2))
    assert capfd.readouterr() == ("", "")
