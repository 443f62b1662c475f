"""One fit of a peer, in the peers' own environment (`make peers`): Parquet in, answers for the test rows out.

::

    .venv-peers/bin/python bench/peer.py --model realmlp --folder bench/cache/frontier/ames --target Sale_Price \
        --task regression --seed 0 --out answer.npz

Every model gets the same rows and columns. Boosting takes missing cells as they are; the two networks refuse missing numbers, so theirs get the median of
the training rows and a column that says where. Dates are seconds. All stop early on the validation rows, judged by log loss or squared error; the
settings are the authors' own defaults, but for what their documentation recommends where log loss counts (``use_ls=False`` of RealMLP-TD). The file written holds
``answer (row,)`` or ``(row, class)``, ``classes``, and the CPU and wall seconds of the fit, imports and reading left out. This script imports nothing of Fathom's.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before any library is loaded

import numpy as np
import pandas as pd

Frame = Any
MOST_ROUNDS, PATIENCE = 2_000, 50  # of boosting, with the libraries' own rates but 0.05 where that is 0.1
KEEPING_LAST = 10  # rounds: scikit-learn keeps the last round and not the best, so its patience is its own default
MODELS = ("hist_boosting", "lightgbm", "catboost", "realmlp", "tabm")
NETWORKS = ("realmlp", "tabm")


def encode(parts: dict[str, Frame], target: str, *, fill: bool) -> tuple[dict[str, Frame], list[str]]:
    """Return the inputs of each part and the names of the categories, whose missing cells are a value of their own."""
    train = parts["train"].drop(columns=target)
    encoded: dict[str, dict[str, Any]] = {part: {} for part in parts}
    categories = []
    for name in train.columns:
        values = {part: frame[name] for part, frame in parts.items()}
        if pd.api.types.is_numeric_dtype(train[name]) and not pd.api.types.is_bool_dtype(train[name]):
            numbers = {part: column.astype("float64") for part, column in values.items()}
        elif pd.api.types.is_datetime64_any_dtype(train[name]):
            start = train[name].min()
            numbers = {part: (column - start).dt.total_seconds() for part, column in values.items()}
        else:
            levels = sorted(set(values["train"].astype("string").fillna("(missing)")) | {"(missing)", "(other)"})
            categories.append(name)
            for part, column in values.items():
                known = column.astype("string").fillna("(missing)")
                encoded[part][name] = pd.Categorical(known.where(known.isin(levels), "(other)"), categories=levels)
            continue
        gaps = numbers["train"].isna().any()
        middle = numbers["train"].median()
        for part, column in numbers.items():
            encoded[part][name] = column.fillna(0.0 if np.isnan(middle) else middle) if fill else column
            if fill and gaps:
                encoded[part][f"{name} is missing"] = column.isna().astype("float64")
    return {
        part: pd.DataFrame(columns, index=parts[part].index).reset_index(drop=True) for part, columns in encoded.items()
    }, categories


def build(model: str, task: str, seed: int, categories: list[str], classes: int) -> Any:
    """Return an unfitted model."""
    classify = task == "classification"
    if model == "hist_boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
        return kind(
            learning_rate=0.05, max_iter=MOST_ROUNDS, early_stopping=True, n_iter_no_change=KEEPING_LAST,
            categorical_features="from_dtype", random_state=seed,
        )  # fmt: skip
    if model == "lightgbm":
        import lightgbm

        boosted = lightgbm.LGBMClassifier if classify else lightgbm.LGBMRegressor
        return boosted(n_estimators=MOST_ROUNDS, learning_rate=0.05, n_jobs=1, random_state=seed, verbose=-1)
    if model == "catboost":
        import catboost

        cat = catboost.CatBoostClassifier if classify else catboost.CatBoostRegressor
        loss = "RMSE" if not classify else "Logloss" if classes == 2 else "MultiClass"
        return cat(
            iterations=MOST_ROUNDS, loss_function=loss, cat_features=categories, thread_count=1, random_seed=seed,
            od_type="Iter", od_wait=PATIENCE, use_best_model=True, verbose=False, allow_writing_files=False,
        )  # fmt: skip
    import pytabkit

    name = {"realmlp": "RealMLP_TD", "tabm": "TabM_D"}[model]
    options: dict[str, Any] = {"val_metric_name": "cross_entropy"} if classify else {}
    if classify and model == "realmlp":
        options["use_ls"] = False
    network = getattr(pytabkit, f"{name}_{'Classifier' if classify else 'Regressor'}")
    return network(device="cpu", random_state=seed, n_threads=1, verbosity=0, **options)


def levels_in_codes(frame: Frame, categories: list[str], *, most: int = 255) -> Frame:
    """Keep the most frequent levels of a category: scikit-learn's boosting takes at most 255."""
    frame = frame.copy()
    for name in categories:
        if len(frame[name].cat.categories) > most:
            frame[name] = frame[name].cat.codes.astype("float64")
    return frame


def fit(model: str, fitted: Any, inputs: dict[str, Frame], truth: dict[str, Any], categories: list[str]) -> None:
    train, check = inputs["train"], inputs["validation"]
    if model == "hist_boosting":
        fitted.fit(train, truth["train"], X_val=check, y_val=truth["validation"])
    elif model == "lightgbm":
        import lightgbm

        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        fitted.fit(train, truth["train"], eval_set=[(check, truth["validation"])], callbacks=[stop])
    elif model == "catboost":
        fitted.fit(train, truth["train"], eval_set=(check, truth["validation"]))
    else:
        fitted.fit(train, truth["train"], check, truth["validation"], cat_col_names=categories)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fit and answer; return the arrays to be written."""
    import torch  # loaded before the clock runs, as are the models' own libraries in `build`

    torch.set_num_threads(1)
    parts = {part: pd.read_parquet(options.folder / f"{part}.parquet") for part in ("train", "validation", "test")}
    labels: list[str] = []
    truth: dict[str, Any] = {}
    if options.task == "classification":
        labels = sorted(set(parts["train"][options.target].astype(str)))
        places = {label: place for place, label in enumerate(labels)}
        truth = {part: frame[options.target].astype(str).map(places) for part, frame in parts.items()}
        known = truth["validation"].notna()  # a class that no training row has cannot be learned
        parts["validation"], truth["validation"] = parts["validation"][known], truth["validation"][known]
        truth = {part: values.fillna(-1).to_numpy(np.int64) for part, values in truth.items()}
    else:
        truth = {part: frame[options.target].to_numpy(np.float64) for part, frame in parts.items()}
    build(options.model, options.task, options.seed, [], len(labels))
    wall, cpu = time.perf_counter(), time.process_time()
    inputs, categories = encode(parts, options.target, fill=options.model in NETWORKS)
    if options.model == "hist_boosting":
        inputs = {part: levels_in_codes(frame, categories) for part, frame in inputs.items()}
    fitted = build(options.model, options.task, options.seed, categories, len(labels))
    fit(options.model, fitted, inputs, truth, categories)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ask = fitted.predict_proba if options.task == "classification" else fitted.predict
    answer = np.asarray(ask(inputs["test"]), np.float64)
    if options.task == "regression":
        answer = answer.reshape(-1)
    return {"answer": answer, "classes": np.asarray(labels, dtype=np.str_), "cpu_seconds": cpu, "wall_seconds": wall}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--folder", type=Path, required=True, help="holds train, validation and test .parquet")
    parser.add_argument("--target", required=True)
    parser.add_argument("--task", required=True, choices=("regression", "classification"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    arrays = run(options)
    np.savez(options.out, **arrays)
    print(json.dumps({"cpu_seconds": arrays["cpu_seconds"], "wall_seconds": arrays["wall_seconds"]}))


if __name__ == "__main__":
    main()
