"""scikit-learn's own contract, and what its users do: pipelines, searches, frames, weights."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fathom
from fathom.sklearn import FathomClassifier, FathomRegressor

FEW = {"effort": "quick", "epochs": 12, "learning_rate": 0.02}
CONFIGURATIONS = [kind(trunk=trunk, **FEW) for kind in (FathomClassifier, FathomRegressor) for trunk in ("tabm", "mlp")]


@parametrize_with_checks(CONFIGURATIONS, expected_failed_checks=lambda estimator: {})
def test_the_estimator_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.fixture
def plane():
    """Rows on two sides of a line."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    return X, np.where(X[:, 0] + X[:, 1] > 0, "above", "below")


@pytest.fixture(scope="module")
def frame(flights):
    """Flights as pandas reads them: words, numbers with gaps, and dates."""
    rows = flights.take(np.arange(600)).to_pandas()
    rows["departure"] = pd.to_datetime(rows["departure"])
    rows["airline"] = rows["airline"].astype("category")
    rows["pressure_mbar"] = pd.to_numeric(rows["pressure_mbar"])
    return rows.drop(columns="late"), rows["late"]


def proba(model, X):
    return model.predict_proba(X)


def test_it_stands_in_pipelines_and_searches(plane):
    X, y = plane
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FathomClassifier(**FEW)), {"fathomclassifier__trunk": ["tabm", "mlp"]}, cv=2
    )
    assert search.fit(X, y).best_score_ > 0.85
    numbers = TransformedTargetRegressor(FathomRegressor(**FEW), func=np.log1p, inverse_func=np.expm1)
    assert cross_val_score(numbers, X, np.exp(X[:, 0]), cv=2).mean() > 0.5


def test_a_frame_brings_words_dates_gaps_and_numbers_as_text(frame):
    X, y = frame
    model = FathomClassifier(**FEW).fit(X.iloc[:500], y.iloc[:500])
    assert model.feature_names_in_.tolist() == list(X) and model.n_features_in_ == X.shape[1]
    taken = {name: kind.split(":")[0] for name, kind in model.columns_.items()}
    assert taken["airline"] == "category" and taken["departure"] == "date"
    assert taken["distance_miles"] == taken["pressure_mbar"] == "number"
    assert model.classes_.tolist() == sorted(set(y)) and set(model.predict(X.iloc[500:])) <= set(y)
    np.testing.assert_allclose(proba(model, X.iloc[500:]).sum(axis=1), 1)
    assert model.n_iter_ == len(model.history_) <= 12


def test_polars_and_pandas_say_the_same(frame):
    X, y = frame
    first = FathomClassifier(**FEW).fit(X, y)
    second = FathomClassifier(**FEW).fit(pl.from_pandas(X), pl.from_pandas(y))
    np.testing.assert_array_equal(proba(first, X), proba(second, pl.from_pandas(X)))


def test_columns_can_be_overruled_and_names_are_compared(frame):
    X, y = frame
    model = FathomClassifier(**FEW, columns={"distance_miles": "category", "departure": "skip"}).fit(X, y)
    assert model.columns_["distance_miles"] == "category: you said so"
    assert model.columns_["departure"] == "left out: you said so"
    with pytest.raises(ValueError, match="The feature names should match those that were passed during fit"):
        model.predict(X.rename(columns={"airline": "carrier"}))


def test_the_same_seed_and_rows_in_any_order_give_the_same_network(plane):
    X, y = plane
    order = np.random.default_rng(1).permutation(len(X))
    first = FathomClassifier(**FEW).fit(X, y)
    assert first.model_ == FathomClassifier(**FEW).fit(X[order], y[order]).model_
    assert first.model_ == clone(first).fit(X.tolist(), y.tolist()).model_
    assert first.model_ != FathomClassifier(**FEW, random_state=1).fit(X, y).model_
    drawn = [FathomClassifier(**FEW, random_state=np.random.RandomState(7)).fit(X, y).model_ for _ in range(2)]
    assert drawn[0] == drawn[1] != first.model_


def test_weights_weigh(plane):
    X, _ = plane
    first, second = np.zeros(200), np.ones(200)
    twice, y = np.vstack([X, X]), np.concatenate([first, second])  # every row stands for both answers
    for favoured, weights in ((0.0, [1.0, 0.05]), (1.0, [0.05, 1.0]), (1.0, [0, 2])):
        weight = np.repeat(weights, 200)
        assert abs(FathomRegressor(**FEW).fit(twice, y, sample_weight=weight).predict(X).mean() - favoured) < 0.15
        assert (FathomClassifier(**FEW).fit(twice, y, sample_weight=weight).predict(X) == favoured).all()


def test_rare_classes_count_as_much_when_asked():
    generator = np.random.default_rng(0)
    X = np.concatenate([generator.normal(0, 1, (300, 2)), generator.normal(1, 1, (30, 2))])
    y = np.repeat([0, 1], [300, 30])
    found = [FathomClassifier(**FEW, class_weights=weighted).fit(X, y).predict(X).sum() for weighted in (False, True)]
    assert found[1] > 2 * found[0] + 10


def test_every_parameter_does_something(plane):
    X, y = plane
    changes = {
        "effort": "standard", "trunk": "mlp", "layers": 1, "skip": True, "encoder": {"number": "periodic"}, "columns": {"x0": "skip"}, "optimizer": "sgd",
        "learning_rate": 0.001, "epochs": 2, "batch_rows": 7, "class_weights": True, "random_state": 3,
    }  # fmt: skip
    assert {*changes, "minutes"} == set(FathomClassifier().get_params())
    assert {*changes, "minutes"} - {"class_weights"} == set(FathomRegressor().get_params())
    base = FathomClassifier(**FEW).fit(X, y).model_
    for name, value in changes.items():
        assert FathomClassifier(**{**FEW, name: value}).fit(X, y).model_ != base, name
    hurried = FathomClassifier(**{**FEW, "epochs": 1_000, "batch_rows": 1, "minutes": 0.01}).fit(X, y)
    assert hurried.stopped_ == "the time for training, 1 s, was used up"


def test_it_travels_to_other_processes_as_bytes(plane):
    X, y = plane
    model = FathomClassifier(**FEW).fit(X, y)
    model.predict(X)
    copied = pickle.loads(pickle.dumps(model))  # noqa: S301  # our own bytes, as joblib sends them
    np.testing.assert_array_equal(proba(copied, X), proba(model, X))
    assert b"torch" not in pickle.dumps(model.model_)


def test_it_becomes_a_bundle_that_answers_alike(frame, tmp_path):
    X, y = frame
    classes = FathomClassifier(**FEW).fit(X, y)
    folder = classes.bundle(tmp_path / "classes", X)
    answers = fathom.load(folder).predict(X).to_pandas()
    np.testing.assert_allclose(answers[[f"y={name}" for name in classes.classes_]], proba(classes, X), atol=1e-5)
    assert (answers["y"] == classes.predict(X)).mean() > 0.99
    inputs = X.drop(columns="distance_miles")
    numbers = FathomRegressor(**FEW).fit(inputs, X["distance_miles"].astype(float))
    answers = fathom.load(numbers.bundle(tmp_path / "numbers", inputs)).predict(inputs).to_pandas()
    np.testing.assert_allclose(answers["y"], numbers.predict(inputs), rtol=1e-4)
    assert (answers["y_low"] < answers["y_high"]).all()


def test_nothing_to_tell_rows_apart_is_answered_all_the_same():
    X, y = np.ones((40, 2)), np.repeat([0.0, 1.0, 2.0, 3.0], 10)
    assert abs(FathomRegressor(**FEW).fit(X, y).predict(X[:1])[0] - 1.5) < 0.2
    words = pd.DataFrame({"colour": ["red"] * 40, "gap": [None] * 40})
    np.testing.assert_allclose(proba(FathomClassifier(**FEW).fit(words, y), words[:1]), 0.25, atol=0.1)
    assert FathomClassifier(**FEW).fit(X[:1], ["only"]).predict(X[:2]).tolist() == ["only"] * 2
    assert FathomRegressor(**FEW).fit(X[:1], [7.0]).predict(X[:1])[0] == pytest.approx(7.0, abs=0.1)


MISTAKES = {
    "trunk": ({"trunk": "tabn"}, "--trunk is 'tabn'. Did you mean 'tabm'? It can be: tabm, mlp, transformer."),
    "epochs": ({"epochs": 0}, "--epochs is 0, and must be more than 0."),
    "columns": ({"columns": {"x9": "skip"}}, "There is no column 'x9' in X without names. The columns are: 'x0', 'x1', 'x2'."),
}  # fmt: skip


@pytest.mark.parametrize(("parameters", "lesson"), [*MISTAKES.values()], ids=[*MISTAKES])
def test_a_mistake_is_a_lesson_and_a_value_error(plane, parameters, lesson):
    with pytest.raises(ValueError, match=f"^{re.escape(lesson)}$") as caught:
        FathomClassifier(**parameters).fit(*plane)
    assert isinstance(caught.value.__cause__, fathom.FathomError)


def test_what_cannot_be_learned_from_is_refused_in_words(plane, frame):
    X, _ = plane
    with pytest.raises(TypeError, match=r"^Column x0 of X holds objects of several kinds, where each argument must be"):
        FathomClassifier(**FEW).fit(np.array([[{"a": 1}], ["b"]], object), [0, 1])
    with pytest.raises(ValueError, match=r"^The classes \['', 'a'\] cannot be told apart: names that differ in blanks"):
        FathomClassifier(**FEW).fit(X[:2], ["a", ""])
    rows = frame[0].assign(distance_miles=["far", *["12"] * 599])
    with pytest.raises(ValueError, match=r"^row 1: column 'distance_miles' holds 'far' among numbers"):
        FathomClassifier(**FEW, columns={"distance_miles": "number"}).fit(rows, frame[1])
