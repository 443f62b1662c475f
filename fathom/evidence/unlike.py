"""Does it notice rows that are unlike those of training: how many of the test rows it calls unlike, and how many of rows that were made to be.

Three sets are asked: the test rows, of which about one in a hundred may be called unlike; *near* rows, whose columns have each been shuffled for themselves, so that every value was seen and their
company was not; and *far* rows, whose values are of the same kinds and from elsewhere (`fathom.data.modalities.contract.Modality.sample`). How well rows are told apart is the area under the ROC curve: the chance that
an unlike row scores as stranger than a test row (Hanley and McNeil, Radiology 143, 1982). Tests of that kind, and why near ones are hard: Fort, Ren and Lakshminarayanan, NeurIPS 2021
(https://arxiv.org/abs/2106.03004).
"""

import sys
from typing import Any

import numpy as np
import pyarrow as pa

from fathom.bundle.answers.unlikeness import SHARE, Floats, Unlikeness
from fathom.data.encoding import inputs_of
from fathom.data.table import Table
from fathom.evidence.contract import EVERY_KIND, Case, Finding, not_applicable, plain, some

NAME = "unlike"
QUESTION = "Does it notice rows that are like nothing in training?"
SOURCE = "Laxhammar and Falkman, IEEE TPAMI 36, 2014; Tipping and Bishop, JRSS B 61, 1999; Fort, Ren and Lakshminarayanan, NeurIPS 2021"
SERVES = tuple(kind for kind in EVERY_KIND if kind != "yes_no")  # of which both answers are usual

MOST_ROWS = 1_000  # that are asked of each set
FEWEST_ROWS = 30
TOO_MANY = 5 * SHARE  # of the test rows
TELLS = 0.9  # area under the curve, of far rows
MOST_NAMED = 10


def run(case: Case) -> Finding:
    """Ask the three sets, and name the strangest test rows."""
    learned = case.unlikeness
    if learned is None or case.sealed.table.rows < FEWEST_ROWS:
        return not_applicable(sys.modules[__name__], "There are too few rows to say which are usual.")
    names = [column.name for column in inputs_of(case.columns)]
    part = some(case.sealed, MOST_ROWS)
    rows = part.table.select(names)
    scores = learned.scores(rows)
    sets = {"near": shuffled(rows, case.seed), "far": elsewhere(case, rows.rows)}
    asked: list[dict[str, Any]] = [_told("test rows", scores, scores, learned)]
    asked += [_told(name, learned.scores(made), scores, learned) for name, made in sets.items()]
    share, far = float((scores > learned.limit).mean()), asked[2]["told_apart"]
    low, high = part.share(scores > learned.limit)
    many, blind = low > TOO_MANY, far < TELLS
    worst = np.argsort(-scores, kind="stable")[:MOST_NAMED]
    sentence = (
        f"It calls {100 * share:.1f} % of the test rows ({100 * low:.1f} to {100 * high:.1f} %) unlike those of training, where about {100 * SHARE:.0f} % are meant to be. Rows of the same kinds of values from elsewhere it calls unlike "
        f"in {100 * asked[2]['called_unlike']:.0f} % of cases (area under the curve {far:.3f}), rows whose columns were shuffled in {100 * asked[1]['called_unlike']:.0f} % ({asked[1]['told_apart']:.3f})."
    )
    return Finding(
        NAME,
        QUESTION,
        "too many test rows are unlike" if many else "it does not" if blind else "it does",
        sentence,
        share,
        float(low),
        float(high),
        unit="share of test rows called unlike",
        status="warning" if many or blind else "good",
        remedy="Ask what has changed between the rows that it learned from and these, for example over time, and fit again with rows like these."
        if many
        else "Do not rely on it to say that it has seen nothing like a row: its columns take values of every kind."
        if blind
        else "",
        rows=[
            *asked,
            *(
                {
                    "set": f"unlike: {rows.where(int(row))}",
                    "rows": 1,
                    "because_of": because(learned, rows.take([int(row)])),
                }
                for row in worst
                if scores[row] > learned.limit
            ),
        ],
        plot={"usual": [plain(score) for score in np.sort(scores)], "limit": learned.limit},
        source=SOURCE,
    )


def _told(name: str, scores: Floats, usual: Floats, learned: Unlikeness) -> dict[str, Any]:
    return {
        "set": name,
        "rows": len(scores),
        "called_unlike": float((scores > learned.limit).mean()),
        "told_apart": area(usual, scores),
    }


def area(usual: Floats, unlike: Floats) -> float:
    """Return the chance that a score of ``unlike`` is above one of ``usual``, equal ones counting half.

    >>> area(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    both = np.concatenate([usual, unlike])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    many = len(unlike)
    return float((ranks[len(usual) :].sum() - many * (many + 1) / 2) / max(len(usual) * many, 1))


def because(learned: Unlikeness, row: Table) -> str:
    """Return the view in which one row is the most unlike."""
    views = learned.views(row)
    return max(views, key=lambda view: float(view[1][0]))[0]


def shuffled(rows: Table, seed: int) -> Table:
    """Return rows whose columns have each been shuffled for themselves.

    >>> sorted(shuffled(Table.of({"x": [1, 2, 3]}), 0).column("x").to_pylist())
    [1, 2, 3]
    """
    random = np.random.default_rng(seed)
    return Table.of({name: rows.column(name).take(pa.array(random.permutation(rows.rows))) for name in rows.names})


def elsewhere(case: Case, rows: int) -> Table:
    """Return rows of believable values of the columns' kinds that have nothing to do with the table."""
    made = {}
    for place, column in enumerate(inputs_of(case.columns)):
        assert column.kind is not None
        made[column.name] = column.kind.sample(rows, case.seed + place)
    return Table.of(made)
