"""What Fathom says of its own doubt and its own reasons, measured on real tables, texts, pictures and series.

The claims:

* ``coverage``: sets and intervals that promise 90 % hold 88 to 92 % of 200 resamples of rows on six tables, 85 to 95 % of every class; probabilities err by at most 0.03 on five of six;
* ``intervals``: on five tables whose target is a number, the intervals that are served (by the margins of the row, conformalized quantile regression, or by the size of the answer: whichever scores better on the validation rows) hold 88 to 92 % of rows that the fit was not given, and
  their interval score there is better than that of one width for all, and at most 1 % above that of intervals by the size of the answer; by how much it is below stands beside it;
* ``unlike``: rows of another data set of the same shape are told from test rows with an area under the curve of at least 0.95; near ones, and what other scores reach, are printed beside. Of test rows, and of up to 6,000 more that the fit was not given,
  about 1 % are called unlike: the interval reaches into 0.5 to 2 %;
* ``faithful``: on eight of eight sets, taking away what a method names moves the answer more than taking away as many pieces at random, beyond the 95 % interval.

::

    python -m bench.evidence                       all four
    python -m bench.evidence --only faithful --sets bbc,adult

A set is fitted once, at quick effort on at most 6,000 rows (pictures 4,000, pictures and texts for six epochs), and kept in ``bench/cache/evidence``; ``--fresh`` fits again. Exits with 1 when a claim fails.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from bench import data, frontier_tables, perception_tables
from bench.packages import CACHE

FOLDER = CACHE / "evidence"
MOST_ROWS, MOST_PICTURES = 6_000, 4_000
DEEP_EPOCHS = 6  # of pictures and texts, which need no more to have reasons
COVERED = ("adult", "magic", "letter", "credit_cards", "diamonds", "flights")
NUMBERS = ("diamonds", "flights", "ames", "deliveries", "hotel_rates")
TOLD = {"hotel_rates": {"babies": "category"}}  # one row of thousands has two
CALIBRATED = ("adult", "magic", "letter", "credit_cards", "mnist", "fashion")
MOST_UNSEEN = 6_000
FAITHFUL = ("adult", "magic", "letter", "diamonds", "bbc", "spam", "mnist", "fashion")
UNLIKE = ("mnist", "fashion", "bbc", "spam", "adult", "magic", "letter", "diamonds")
PICTURES = ("mnist", "fashion")
RESAMPLES = 200


def rows_of(name: str, further: bool = False) -> tuple[pa.Table, str]:
    """Return the rows of a set that a fit is given, at most 6,000 of them drawn by chance, and the name of its target; ``further`` returns as many others."""
    known = {table.name: table for table in data.TABLES}
    others = {table.name: table for table in frontier_tables.TABLES}
    if name in known:
        table, target = pyarrow.csv.read_csv(data.fetch(name).train), known[name].target
    elif name in others:
        table, target = pyarrow.csv.read_csv(frontier_tables.csv_of(others[name])), others[name].target
    else:
        table = pq.read_table(perception_tables.fetch(name)[0])
        target = next(one.target for one in perception_tables.TABLES if one.name == name)
    order = np.random.default_rng(0).permutation(table.num_rows)
    most = MOST_PICTURES if name in PICTURES else MOST_ROWS
    order = order[most : most + MOST_UNSEEN] if further else order[:most]
    return table.take(np.sort(order)), target


def run_of(name: str, fresh: bool) -> Path:
    """Return the run of a set, fitted where it has not been."""
    import fathom

    folder = FOLDER / name
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        table, target = rows_of(name)
        epochs = DEEP_EPOCHS if name in (*PICTURES, "bbc", "spam") else None
        fathom.fit(table, target, out=folder, effort="quick", keep="network", epochs=epochs, columns=TOLD.get(name, {}))
    return folder


def prepared_of(table: pa.Table, target: str, columns: dict[str, str] | None = None) -> Any:
    """Return rows parted and columns understood as for a fit."""
    from fathom.chapters.preparing import prepare
    from fathom.data.modalities import MODALITIES
    from fathom.progress import Silent
    from fathom.settings import Settings

    return prepare(table, target, None, Settings(effort="quick", columns=columns or {}), MODALITIES, Silent())


# ------------------------------------------------------------------------------------------------------------------ coverage


def coverage(name: str, fresh: bool) -> dict[str, Any]:
    """Part validation and test rows 200 times into those that learn the promise and those that hold it to it."""
    import fathom
    from fathom.bundle.answers import doubting
    from fathom.bundle.answers.banding import half_width
    from fathom.bundle.answers.margining import out_by
    from fathom.chapters.candidates import in_units, truth_in_units
    from fathom.shapes import margins_of

    model = fathom.load(run_of(name, fresh))
    target = model.description.targets[0]
    prepared = prepared_of(*rows_of(name))
    validation, sealed = prepared.validation, prepared.sealed
    parts = [(rows, model.tell(rows)) for rows in (validation, sealed)]
    truth = np.concatenate([truth_in_units(target, rows) for rows, _ in parts])
    answer = np.concatenate([in_units(target, told[target.name]) for _, told in parts])
    margins = margins_of(target.name)
    out = np.abs(truth - answer) if answer.ndim == 1 else None
    if margins in parts[0][1]:
        out = np.concatenate([out_by(told[target.name], told[margins], encoded(target, rows)) for rows, told in parts])
    random, held, classes = np.random.default_rng(0), [], []
    for _ in range(RESAMPLES):
        learned, asked = np.array_split(random.permutation(len(truth)), 2)
        if answer.ndim == 2:
            sets = doubting.sets_of(answer[asked], doubting.thresholds(answer[learned], truth[learned].astype(int)))
            inside = sets[np.arange(len(asked)), truth[asked].astype(int)]
            classes.append([inside[truth[asked] == code].mean() for code in range(answer.shape[1])])
        else:
            inside = out[asked] <= half_width(out[learned], doubting.LEVEL)
        held.append(inside.mean())
    found = {"rows": len(truth), "held": float(np.mean(held))}
    if classes:
        each = np.nanmean(classes, axis=0)
        found |= {"lowest class": float(each.min()), "highest class": float(each.max())}
    return found


def encoded(target: Any, rows: Any) -> Any:
    """Return the true numbers ``(row,)`` in encoded units."""
    return target.kind.encode(target.state, rows.column(target.name))[:, 0]


# ----------------------------------------------------------------------------------------------------------------- intervals


def intervals(name: str, fresh: bool) -> dict[str, dict[str, Any]]:
    """Return what intervals of each kind are worth on test rows and rows that the fit was not given, all learned on the validation rows of one fit: the share that they hold, on the whole and in fifths by the answer and by how far its
    members are apart; and in standard deviations of the truth their width and their interval score."""
    from dataclasses import replace

    import fathom
    from fathom.bundle.answers import banding, margining
    from fathom.chapters.candidates import truth_in_units
    from fathom.shapes import margins_of, spread_of

    model = fathom.load(run_of(name, fresh))
    served, target = model.description, model.description.targets[0]
    prepared = prepared_of(*rows_of(name), TOLD.get(name))
    known = model.tell(prepared.validation)
    factor = margining.factor_of(
        known[target.name], known[margins_of(target.name)], encoded(target, prepared.validation), 0.9
    )
    parts = [prepared.sealed]
    if (further := rows_of(name, further=True)[0]).num_rows:
        parts.append(fathom.read(further))
    each = [model.tell(rows) for rows in parts]
    told = {key: np.concatenate([one[key] for one in each]) for key in each[0]}
    truth = np.concatenate([truth_in_units(target, rows) for rows in parts])
    answer = np.asarray(target.kind.decode(target.state, told[target.name]), np.float64)
    ways = {
        "one width": replace(served, factors={}, bands={}),
        "by the answer": replace(served, factors={}),
        "by the row": replace(served, factors={target.name: factor}),
        "served": served,
    }
    found = {}
    for way, description in ways.items():
        reach = description.reach(target, told, answer)
        held = banding.holds(truth - answer, reach)
        fifths = [np.array_split(np.argsort(by, kind="stable"), 5) for by in (answer, told[spread_of(target.name)])]
        found[way] = {
            "rows": len(held),
            "held": held.mean(),
            "by answer": [round(100 * held[part].mean()) for part in fifths[0]],
            "by spread": [round(100 * held[part].mean()) for part in fifths[1]],
            "width": reach.sum(axis=1).mean() / truth.std(),
            "score": margining.interval_score(answer, reach, truth, 0.9) / truth.std(),
        }
    return found


def calibration_error(name: str, fresh: bool) -> dict[str, Any]:
    """Return how far the probability of the likeliest class is from how often it is right, on test rows and rows that the fit was not given, in fifteen bins of as many rows each."""
    import fathom
    from fathom.chapters.candidates import truth_in_units

    model = fathom.load(run_of(name, fresh))
    target = model.description.targets[0]
    rows = [prepared_of(*rows_of(name)).sealed]
    if (further := rows_of(name, further=True)[0]).num_rows:
        rows.append(fathom.read(further))
    truth = np.concatenate([truth_in_units(target, part) for part in rows])
    answer = np.concatenate([model.answer(part)[target.name] for part in rows])
    sure, right = answer.max(axis=1), answer.argmax(axis=1) == truth
    bins = np.array_split(np.argsort(sure, kind="stable"), 15)
    error = sum(len(rows) * abs(sure[rows].mean() - right[rows].mean()) for rows in bins) / len(truth)
    drawn = np.random.default_rng(0).random((200, len(truth))) < sure  # what probabilities that come true would show
    chance = np.mean(
        [sum(len(rows) * abs(sure[rows].mean() - one[rows].mean()) for rows in bins) for one in drawn]
    ) / len(truth)
    return {"rows": len(truth), "error": float(error), "by chance alone": float(chance)}


# -------------------------------------------------------------------------------------------------------------------- unlike


def far_rows(name: str, random: np.random.Generator) -> dict[str, pa.Table]:
    """Return rows of other data of the same shape, and near ones, by name."""
    table, target = rows_of(name)
    inputs = table.drop_columns([target])
    found = {}
    if name in ("mnist", "fashion"):
        other = "fashion" if name == "mnist" else "mnist"
        found[f"far: {other}"] = rows_of(other)[0].slice(0, 1_000).select(["picture"])
        noise = [_png(random.integers(1, 256, (28, 28)).astype(np.uint8)) for _ in range(300)]
        found["far: noise"] = pa.table({"picture": noise})
    elif name in ("bbc", "spam"):
        other = "spam" if name == "bbc" else "bbc"
        texts = rows_of(other)[0]["text"].to_pylist()[:1_000]
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
        sets = {
            f"far: {other}": texts,
            "far: letters at random": ["".join(random.choice(letters, random.integers(20, 900))) for _ in range(300)],
            "far: blank": ["", " ", ".", "the", "?"] * 60,
        }
        for label, made in sets.items():
            found[label] = pa.table({"text": pa.array(made, pa.string())})
            if name == "spam":  # of letters and blanks, the subject is one of its own: the text alone has to tell
                subjects = inputs["subject"].combine_chunks().take(pa.array(np.arange(len(made)) % inputs.num_rows))
                if label == f"far: {other}":  # an article has a headline, which is its first line
                    subjects = pa.array([text.split("\n")[0] for text in made], pa.string())
                found[label] = found[label].append_column("subject", subjects)
    else:
        rows = inputs.slice(0, 1_000)
        numbers = [
            field.name for field in inputs.schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        ]
        others = dict(zip(numbers, numbers[1:] + numbers[:1], strict=True))
        found["far: numbers of other columns"] = pa.table(
            {column: rows[others.get(column, column)] for column in inputs.column_names}
        )
        found["near: columns shuffled"] = pa.table(
            {
                column: rows[column].combine_chunks().take(pa.array(random.permutation(rows.num_rows)))
                for column in inputs.column_names
            }
        )
    return found


def _png(pixels: Any) -> bytes:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def near_class(name: str) -> dict[str, float]:
    """Learn what is usual without the rows of one class, and return how well its rows are told from test rows of the others."""
    import fathom
    from fathom.chapters.equipping import usual_of
    from fathom.data.encoding import inputs_of
    from fathom.evidence.unlike import area
    from fathom.settings import Settings

    table, target = rows_of(name)
    labels = np.array(table[target].cast(pa.string()).to_pylist())
    left_out = sorted(set(labels))[-1]
    prepared = prepared_of(table.filter(pa.array(labels != left_out)), target)
    learned = usual_of(prepared, Settings())
    assert learned is not None
    names = [column.name for column in inputs_of(prepared.columns)]
    rows = fathom.read(table.filter(pa.array(labels == left_out)).slice(0, 500)).select(names)
    usual = learned.scores(prepared.sealed.select(names))
    return {f"near: class {left_out}": area(usual, learned.scores(rows))}


def other_scores(model: Any, train: Any, truth: Any, sets: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return the area under the curve of scores that Fathom does not use: distances in the last layer, energy, and the highest probability."""
    from fathom.evidence.unlike import area

    made = {name: last_layer(model, rows) for name, rows in {"train": train, **sets}.items()}
    vectors, codes = made["train"][0], truth.astype(int)
    classes = model.description.targets[0].parts[0].codes
    middles = (
        np.stack(
            [vectors[codes == code].mean(0) if (codes == code).any() else vectors.mean(0) for code in range(classes)]
        )
        if classes
        else vectors.mean(0, keepdims=True)
    )
    rest = vectors - (middles[codes] if classes else middles)
    spread, turned = np.linalg.eigh(rest.T @ rest / len(rest))
    turned = turned / np.sqrt(np.maximum(spread, 1e-3 * spread.max()))

    def mahalanobis(rows: Any) -> Any:
        return np.square((rows @ turned)[:, None] - (middles @ turned)[None]).sum(2).min(1)

    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def neighbours(rows: Any) -> Any:
        near = (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ unit.T
        return -np.partition(near, -5, axis=1)[:, -5]

    scores = {
        "distance in the last layer": {name: mahalanobis(made[name][0]) for name in sets},
        "neighbours in the last layer": {name: neighbours(made[name][0]) for name in sets},
    }
    if classes:
        scores["energy"] = {name: -np.log(np.exp(made[name][1]).sum(1)) for name in sets}
        scores["highest probability"] = {
            name: -model.answer(sets[name])[model.description.targets[0].name].max(1) for name in sets
        }
    return {
        label: {name: area(values["test"], values[name]) for name in sets if name != "test"}
        for label, values in scores.items()
    }


def last_layer(model: Any, rows: Any) -> tuple[Any, Any]:
    """Return what the network makes of rows before its head ``(row, width)``, and the head's logits ``(row, class)``, both the mean over members."""
    import torch

    from fathom.bundle.loading import reload_network
    from fathom.data.encoding import encode_inputs
    from fathom.training.batching import as_batch

    network = reload_network(model.description, model.files["weights.safetensors"])
    network = network.networks[0] if hasattr(network, "networks") else network
    batch = as_batch(encode_inputs(model.columns, rows), {})
    vectors, logits = [], []
    with torch.inference_mode():
        for start in range(0, rows.rows, 256):
            summary = network.summary(batch.slice(start, min(256, rows.rows - start)).inputs)
            vectors.append(summary.vector.mean(1))
            logits.append(network.heads[0](summary).mean(1))
    return torch.cat(vectors).double().numpy(), torch.cat(logits).double().numpy()


def unlike(name: str, fresh: bool) -> dict[str, Any]:
    """Return, for each score, how well it tells each set of rows from test rows, and the share of test rows that Fathom calls unlike."""
    import fathom
    from fathom.bundle.answers.unlikeness import SHARE
    from fathom.chapters.candidates import truth_in_units
    from fathom.chapters.equipping import usual_of
    from fathom.evidence.unlike import area
    from fathom.resampling import wilson
    from fathom.settings import Settings

    model = fathom.load(run_of(name, fresh))
    prepared = prepared_of(*rows_of(name))
    learned = usual_of(prepared, Settings())
    assert learned is not None
    made = {label: model.checked(fathom.read(rows)) for label, rows in far_rows(name, np.random.default_rng(1)).items()}
    names = made[next(iter(made))].names
    usual = prepared.sealed.select(names)
    scores = learned.scores(usual)
    own = scores
    if (further := rows_of(name, further=True)[0]).num_rows:
        own = np.concatenate([scores, learned.scores(model.checked(fathom.read(further)).select(names))])
    called = float((own > learned.limit).mean())
    ((low,), (high,)) = wilson(np.array([called * len(own)]), np.array([float(len(own))]))
    asked = {label: learned.scores(rows) for label, rows in made.items()}
    found: dict[str, Any] = {
        "own rows": len(own),
        "own rows called unlike": [called, float(low), float(high)],
        "Fathom": {label: area(scores, rows) for label, rows in asked.items()},
        "called unlike": {label: float((rows > learned.limit).mean()) for label, rows in asked.items()},
        **{
            f"called at a limit that calls {100 * share:.0f} % of the own rows": {
                label: float((rows > np.quantile(own, 1 - share)).mean()) for label, rows in asked.items()
            }
            for share in (SHARE, 2 * SHARE, 5 * SHARE)
        },
    }
    train = prepared.train.take(np.linspace(0, prepared.train.rows - 1, min(prepared.train.rows, 2_000)).astype(int))
    truth = truth_in_units(model.description.targets[0], train)
    found |= other_scores(model, train.select(names), truth, {"test": usual, **made})
    if name in ("mnist", "letter", "bbc"):
        found["Fathom"] |= near_class(name)
    return found


# ------------------------------------------------------------------------------------------------------------------ faithful


def faithful(name: str, fresh: bool) -> dict[str, Any]:
    """Return what the check of the reasons finds on test rows."""
    import fathom
    from fathom.examining import check

    model = fathom.load(run_of(name, fresh))
    sealed = prepared_of(*rows_of(name)).sealed
    finding = check(model, sealed.arrow, only=["faithfulness"])[0]
    return {"rows": [dict(row) for row in finding.rows], "agreement": finding.plot.get("agreement")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="coverage,intervals,unlike,faithful", help="which claims, with commas between"
    )
    parser.add_argument("--sets", help="only these sets, with commas between")
    parser.add_argument("--fresh", action="store_true", help="fit again")
    options = parser.parse_args()
    wanted = options.only.split(",")
    failed = 0

    def chosen(names: tuple[str, ...]) -> list[str]:
        return [name for name in names if options.sets is None or name in options.sets.split(",")]

    if "coverage" in wanted:
        for name in chosen(COVERED):
            found = coverage(name, options.fresh)
            good = (
                0.88 <= found["held"] <= 0.92
                and found.get("lowest class", 0.9) >= 0.85
                and found.get("highest class", 0.9) <= 0.95
            )
            failed += not good
            print(f"{'pass' if good else 'FAIL'}  coverage {name}: {found}", flush=True)
        errors = {name: calibration_error(name, options.fresh) for name in chosen(CALIBRATED)}
        for name, found in errors.items():
            print(f"      calibration {name}: {found}", flush=True)
        many = sum(found["error"] <= 0.03 for found in errors.values())
        good = many >= len(errors) - 1
        failed += not good
        print(f"{'pass' if good else 'FAIL'}  calibration: error at most 0.03 on {many} of {len(errors)}", flush=True)
    if "intervals" in wanted:
        for name in chosen(NUMBERS):
            ways = intervals(name, options.fresh)
            own, by_answer, alike = (ways[way]["score"] for way in ("served", "by the answer", "one width"))
            good = own <= 1.01 * by_answer and own < alike and 0.88 <= ways["served"]["held"] <= 0.92
            failed += not good
            print(f"{'pass' if good else 'FAIL'}  intervals {name}: {ways['served']['rows']:,} rows", flush=True)
            for way, one in ways.items():
                print(
                    f"      {way}: held {one['held']:.3f}, width {one['width']:.3f}, interval score {one['score']:.3f}, held in fifths by the answer {one['by answer']} and by how far members are apart {one['by spread']} %",
                    flush=True,
                )
    if "unlike" in wanted:
        for name in chosen(UNLIKE):
            found = unlike(name, options.fresh)
            called, low, high = found["own rows called unlike"]
            good = all(value >= 0.95 for label, value in found["Fathom"].items() if label.startswith("far"))
            good &= low <= 0.02 and high >= 0.005
            failed += not good
            print(
                f"{'pass' if good else 'FAIL'}  unlike {name}: {called:.4f} ({low:.4f} to {high:.4f}) of {found['own rows']:,} own rows called unlike",
                flush=True,
            )
            for label, values in found.items():
                if isinstance(values, dict):
                    print(
                        f"      {label}: {', '.join(f'{one} {value:.3f}' for one, value in values.items())}", flush=True
                    )
    if "faithful" in wanted:
        for name in chosen(FAITHFUL):
            found = faithful(name, options.fresh)
            good = all(row["low"] > 0 for row in found["rows"] if row["method"] == "shap")
            failed += not good
            print(f"{'pass' if good else 'FAIL'}  faithful {name}: agreement {found['agreement']}", flush=True)
            for row in found["rows"]:
                print(
                    f"      {row['method']}: moves by {row['moves_by']:.4g}, at random {row['at_random']:.4g}, more by {row['more_by']:.4g} ({row['low']:.4g} to {row['high']:.4g})",
                    flush=True,
                )
    print(f"\n{failed} claims failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
