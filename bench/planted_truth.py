"""Checks that the planted tables are what ``bench/planted.py`` says, with models that are not Fathom's.

The claim: on every table of the kind ``network`` a small network beats the best of the mean, a linear model, LightGBM and
nearest neighbours; on every other kind it does not. Networks are the bare loop of ``bench/plain_mlp.py`` on z-scored columns, and the
same on piecewise-linear columns of 128 pieces (Gorishniy, Rubachev and Babenko 2022, arXiv:2203.05556, section 3.2); each rival is chosen
on the validation rows and compared on test rows that neither has seen. ``gain`` is the share of the best simple model's loss
that the network takes away (root mean squared error, or log loss), ``low`` and ``high`` its 95 % interval over test rows.

::

    python -m bench.planted_truth network --first 0 --count 40

Exits with 1 when a table is not of its kind: a network's ``low`` is not above 0, or another kind's is.
"""

import argparse
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.plain_mlp import Scaler, as_numbers, is_text
from bench.planted import KINDS, PER_KIND, Planted, planted

Array = npt.NDArray[Any]
KNOTS = 128
WIDTH, DEPTH = 128, 2  # small networks


@dataclass(frozen=True)
class Rows:
    """A part of the rows in the forms that the rivals read: ``flat`` z-scored and one-hot, ``pieces`` piecewise-linear,
    ``raw`` numbers as they are and categories as codes (columns ``categories``), and the truth, class numbers or scaled."""

    flat: Array
    pieces: Array
    raw: Array
    categories: list[int]
    truth: Array


def prepare(table: Planted, seed: int = 0) -> tuple[Rows, Rows, Rows]:
    """Split into training, validation and test rows (64, 16, 20 %) and encode them by what the training rows show."""
    order = np.random.default_rng(seed).permutation(table.arrow.num_rows)
    one, two = int(0.64 * len(order)), int(0.8 * len(order))
    parts = [table.arrow.take(pa.array(rows)) for rows in (order[:one], order[one:two], order[two:])]
    inputs = [name for name in table.arrow.column_names if name != table.target]
    texts = [i for i, name in enumerate(inputs) if is_text(table.arrow[name].type)]
    scalers = {name: Scaler.learn(parts[0][name]) for name in inputs}
    knots = {
        name: np.unique(np.nanquantile(as_numbers(parts[0][name]), np.linspace(0, 1, KNOTS + 1)))
        for i, name in enumerate(inputs)
        if i not in texts
    }
    classes = pa.array(sorted(pc.unique(table.arrow[table.target].cast(pa.string())).to_pylist()))
    target = Scaler.learn(parts[0][table.target])

    def encode(part: pa.Table) -> Rows:
        flat = [scalers[name].encode(part[name]) for name in inputs]
        pieces = [
            flat[i] if i in texts else pieces_of(as_numbers(part[name]), knots[name]) for i, name in enumerate(inputs)
        ]
        raw = [
            pc.fill_null(pc.index_in(part[name], value_set=scalers[name].levels), -1).to_numpy()
            if i in texts
            else as_numbers(part[name])
            for i, name in enumerate(inputs)
        ]
        truth = (
            target.encode(part[table.target])
            if table.task == "regression"
            else pc.index_in(part[table.target], value_set=classes).to_numpy().astype(np.int64)
        )
        return Rows(np.hstack(flat), np.hstack(pieces), np.column_stack(raw).astype(np.float64), texts, truth)

    return encode(parts[0]), encode(parts[1]), encode(parts[2])


def pieces_of(values: Array, knots: Array) -> Array:
    """Piecewise-linear encoding ``(row, piece)``, -0.5 to 0.5: how far each value has come through each piece."""
    through = (values[:, None] - knots[:-1]) / np.diff(knots)
    return np.nan_to_num(np.clip(through, 0, 1) - 0.5).astype(np.float32)


def loss_of(answer: Array, truth: Array) -> Array:
    """Each row's loss: squared error, or minus the logarithm of the true class's probability."""
    if answer.ndim == 1:
        return (answer - truth[:, 0]) ** 2
    return -np.log(np.clip(answer[np.arange(len(truth)), truth], 1e-6, 1.0))


def constant(train: Rows, check: Rows, test: Rows, regression: bool) -> list[tuple[Array, Array]]:
    """The mean, or the shares of the classes."""
    shares = np.array([train.truth.mean()]) if regression else np.bincount(train.truth) / len(train.truth)
    answers = [np.broadcast_to(shares, (len(rows.truth), len(shares))) for rows in (check, test)]
    return [(answers[0][:, 0], answers[1][:, 0]) if regression else (answers[0], answers[1])]


def linear(train: Rows, check: Rows, test: Rows, regression: bool) -> list[tuple[Array, Array]]:
    from sklearn.linear_model import LogisticRegression, Ridge

    answers = []
    for strength in (0.03, 0.3, 3.0, 30.0):
        if regression:
            model = Ridge(alpha=1 / strength).fit(train.flat, train.truth[:, 0])
            answers.append((model.predict(check.flat), model.predict(test.flat)))
        else:
            model = LogisticRegression(C=strength, max_iter=1000).fit(train.flat, train.truth)
            answers.append((model.predict_proba(check.flat), model.predict_proba(test.flat)))
    return answers


def trees(train: Rows, check: Rows, test: Rows, regression: bool) -> list[tuple[Array, Array]]:
    import lightgbm

    answers = []
    for leaves, least_rows in ((7, 20), (31, 20), (31, 5), (127, 5)):
        options: dict[str, Any] = {
            "num_leaves": leaves,
            "min_child_samples": least_rows,
            "learning_rate": 0.05,
            "n_estimators": 1500,
            "verbose": -1,
            "n_jobs": 1,
        }
        kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
        truths = [rows.truth[:, 0] if regression else rows.truth for rows in (train, check)]
        model = kind(**options).fit(
            train.raw,
            truths[0],
            eval_set=[(check.raw, truths[1])],
            categorical_feature=train.categories,
            callbacks=[lightgbm.early_stopping(40, verbose=False)],
        )
        answer = model.predict if regression else model.predict_proba
        answers.append((answer(check.raw), answer(test.raw)))
    return answers


def neighbours(train: Rows, check: Rows, test: Rows, regression: bool) -> list[tuple[Array, Array]]:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    answers = []
    for count in (5, 15, 45):
        kind = KNeighborsRegressor if regression else KNeighborsClassifier
        model = kind(count, weights="distance").fit(train.flat, train.truth[:, 0] if regression else train.truth)
        answer = model.predict if regression else model.predict_proba
        answers.append((answer(check.flat), answer(test.flat)))
    return answers


def networks(train: Rows, check: Rows, test: Rows, regression: bool) -> list[tuple[Array, Array]]:
    from bench.plain_mlp import train_network

    answers = []
    for form in ("flat", "pieces"):
        asked = np.concatenate([getattr(check, form), getattr(test, form)])
        outputs = 1 if regression else int(train.truth.max()) + 1
        raw, _ = train_network(
            getattr(train, form),
            train.truth,
            getattr(check, form),
            check.truth,
            asked,
            outputs,
            0,
            width=WIDTH,
            depth=DEPTH,
        )
        if regression:
            answer = raw[:, 0]
        else:
            odds = np.exp(raw - raw.max(axis=1, keepdims=True))
            answer = odds / odds.sum(axis=1, keepdims=True)
        answers.append((answer[: len(check.truth)], answer[len(check.truth) :]))
    return answers


SIMPLE = (constant, linear, trees, neighbours)


def best(answers: list[tuple[Array, Array]], check: Rows, test: Rows) -> tuple[float, Array]:
    """Return the validation loss and the test rows' losses of the answer that is best on the validation rows."""
    losses = [(float(loss_of(on_check, check.truth).mean()), on_test) for on_check, on_test in answers]
    value, on_test = min(losses, key=lambda pair: pair[0])
    return value, loss_of(on_test, test.truth)


def judge(table: Planted) -> dict[str, Any]:
    """Fit all rivals to one table and compare the network with the best simple model, chosen on the validation rows."""
    train, check, test = prepare(table)
    regression = table.task == "regression"
    simple = {rival.__name__: best(rival(train, check, test, regression), check, test) for rival in SIMPLE}
    ours = best(networks(train, check, test, regression), check, test)[1]
    name = min(simple, key=lambda rival: simple[rival][0])
    again = np.random.default_rng(0).integers(0, len(ours), (2_000, len(ours)))

    def score(losses: Array) -> Array:
        return np.asarray(np.sqrt(losses.mean(axis=-1)) if regression else losses.mean(axis=-1))

    found = []
    for rival in {name, "constant"}:  # a network must beat both
        theirs = simple[rival][1]
        low, high = np.quantile(1 - score(ours[again]) / score(theirs[again]), (0.025, 0.975))
        found.append((float(low), float(1 - score(ours) / score(theirs)), float(high)))
    low, gain, high = min(found)
    scores = {rival: float(score(losses)) for rival, (_, losses) in simple.items()} | {"network": float(score(ours))}
    return {"best": name, "gain": gain, "low": low, "high": high, "scores": scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"kinds of table (all: {' '.join(KINDS)})")
    parser.add_argument("--first", type=int, default=0, help="first index (0)")
    parser.add_argument("--count", type=int, default=PER_KIND, help=f"how many of each kind ({PER_KIND})")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    warnings.filterwarnings("ignore", message="The argument 'eval_set' is deprecated")  # its successor is too new
    import torch

    torch.set_num_threads(1)
    wrong = 0
    for kind in options.kinds or KINDS:
        for index in range(options.first, min(PER_KIND, options.first + options.count)):
            table = planted(kind, index)
            found = judge(table)
            of_its_kind = (found["low"] > 0) == (kind == "network")
            wrong += not of_its_kind
            scores = " ".join(f"{name} {score:.3f}" for name, score in found["scores"].items())
            print(
                f"{kind:<8}{index:>3} {table.task[:5]} {table.arrow.num_rows:>5}x{table.arrow.num_columns - 1:<3}"
                f"{scores}  against {found['best']:<11}gain {found['gain']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
                f"{'' if of_its_kind else '  NOT OF ITS KIND'}  {table.truth}",
                flush=True,
            )
    print(f"{wrong} tables are not of their kind")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
