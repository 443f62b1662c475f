"""Does the model treat groups alike: rates and errors of each group of the columns that the user protects, and of their intersections.

For a target of two classes, with the second one as the favourable answer: *demographic parity difference* is the largest difference between groups in the share that is given
that answer, *equalised odds difference* the larger one of the largest differences in the true and in the false positive rate (Hardt, Price and Srebro, NeurIPS 2016,
https://arxiv.org/abs/1610.02413; both as the library fairlearn defines them, against which the tests check). For other targets groups are compared by their error. The largest difference is one of many; it is warned of where it is larger than chance makes the largest of groups that are alike (`fathom.evidence.gaps`).
Remedies are shown with their price (`fathom.evidence.mitigating`): thresholds for each group, and rows that count otherwise in training. Parity of one kind is bought with another: Kleinberg, Mullainathan and Raghavan, ITCS 2017
(https://arxiv.org/abs/1609.05807).
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.data.cells.values import words_of
from fathom.data.table import Table
from fathom.evidence.affording import REFITS
from fathom.evidence.contract import TASKS, Case, Finding, Part, affords_fits, not_applicable
from fathom.evidence.gaps import largest
from fathom.evidence.mitigating import answers_by, opportunity_thresholds, parity_thresholds, weights_of
from fathom.quantities import counted
from fathom.scoring import row_losses

NAME = "fairness"
QUESTION = "Does the model treat groups alike?"
SOURCE = "Hardt, Price and Srebro, NeurIPS 2016, https://arxiv.org/abs/1610.02413"
SERVES = TASKS

FEWEST_ROWS = 20  # of a group whose rates are compared; smaller ones are listed
REWEIGHTED = "rows that count otherwise in training"
FEWEST_TO_MEND = 100  # rows of a group that gets a threshold of its own
UNFAIR = 0.1  # difference that is warned of where it is beyond chance; of losses, that part of their mean

Groups = npt.NDArray[np.object_]


def groups_of(table: Table, columns: Sequence[str]) -> Groups:
    """Return the group ``(row,)`` of each row: the words of its protected cells, joined where there are several columns."""
    words = [
        np.asarray(words_of(table.column(name)).fill_null("missing").to_numpy(zero_copy_only=False), np.object_)
        for name in columns
    ]
    return np.array([" and ".join(cells) for cells in zip(*words, strict=True)], np.object_)


def run(case: Case) -> Finding:
    """Compare the groups of each protected column, and of their intersections, on the test rows."""
    if not case.protect:
        return not_applicable(
            sys.modules[__name__], "No column is named with --protect, for example --protect sex,race."
        )
    rows = [row for columns in _combinations(case.protect) for row in _rows(case, columns)]
    gaps = _gaps(case)
    if not gaps:
        return not_applicable(sys.modules[__name__], f"No two groups of a column have {FEWEST_ROWS} test rows.")
    unfair = [entry for entry in gaps if entry["value"] > entry["bound"] and entry["value"] > entry["by_chance"]]
    first = gaps[0]["rate"]
    gap = max(unfair or gaps, key=lambda entry: (entry["rate"] == first, entry["value"]))
    smallest = min(rows, key=lambda row: row["rows"])
    among = f", over the {len(gaps)} differences that were compared" if len(gaps) > 1 else ""
    sentence = (
        f"{gap['what'][:1].upper()}{gap['what'][1:]} differs by {gap['value']:.3f} between {gap['groups']} groups of {gap['columns']}: most for {gap['most']!r}, least for {gap['least']!r}. "
        f"Were all treated alike, chance would still part the two that lie furthest apart by up to {gap['by_chance']:.3f} (95 times of 100{among})."
    )
    if gap["low"] is not None:
        sentence += f" Of these two alone, which were picked since they lie furthest apart, the 95 % interval is {gap['low']:.3f} to {gap['high']:.3f}."
    if len(unfair) > 1:
        sentence += f" Larger than chance makes {'it' if len(unfair) == 2 else 'them'}, too: {counted(len(unfair) - 1, 'further difference')}."
    sentence += f" The smallest group, {smallest['group']!r}, has {counted(smallest['rows'], 'test row')}."
    remedies = _mitigations(case, gap["by"])
    if remedies:
        sentence += _prices(remedies)
    return Finding(
        NAME,
        QUESTION,
        "not alike" if unfair else "about alike",
        sentence,
        gap["value"],
        gap["low"],
        gap["high"],
        unit=gap["unit"],
        status="warning" if unfair else "good",
        remedy="Ask what the answer is used for before choosing a remedy; more rows of the group that fares worst help most."
        if unfair
        else "",
        rows=rows,
        plot={"gaps": [{**entry, "by": list(entry["by"])} for entry in gaps], "remedies": remedies},
        source=SOURCE,
    )


def _prices(remedies: Sequence[dict[str, Any]]) -> str:
    """Return what each remedy would do to the difference between groups, and to accuracy."""
    before, *tried = remedies
    told = [
        f"{remedy['remedy']}: {remedy['parity_difference']:.3f} at an accuracy of {remedy['accuracy']:.3f}"
        for remedy in tried
    ]
    best = min(remedy["parity_difference"] for remedy in tried)
    start = f" Between groups of {FEWEST_TO_MEND} rows and more the share differs by {before['parity_difference']:.3f} at an accuracy of {before['accuracy']:.3f}"
    if best >= before["parity_difference"]:
        return f"{start}; no remedy that was tried lowers it."
    untried = (
        ""
        if REWEIGHTED in {remedy["remedy"] for remedy in tried}
        else f"; {REWEIGHTED} were not tried, since there was no time to fit again"
    )
    return f"{start}; with {', with '.join(told)}{untried}."


def _combinations(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each column alone, and all together where there are several."""
    return [(name,) for name in columns] + ([tuple(columns)] if len(columns) > 1 else [])


def rates(truth: npt.NDArray[Any], said: npt.NDArray[Any]) -> dict[str, float]:
    """Return the rates of some rows, whose ``truth (row,)`` and answers ``said (row,)`` are 0 or 1; NaN where there are no such rows.

    >>> rates(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 1]))
    {'selected': 0.75, 'true_positive': 0.5, 'false_positive': 1.0, 'accuracy': 0.25}
    """
    return {
        "selected": float(said.mean()),
        "true_positive": float(said[truth == 1].mean()) if (truth == 1).any() else float("nan"),
        "false_positive": float(said[truth == 0].mean()) if (truth == 0).any() else float("nan"),
        "accuracy": float((said == truth).mean()),
    }


def parity_difference(said: npt.NDArray[Any], groups: Groups) -> float:
    """Return the demographic parity difference of answers ``said (row,)`` of 0 or 1."""
    shares = [float(said[groups == name].mean()) for name in np.unique(groups)]
    return max(shares) - min(shares)


def odds_difference(truth: npt.NDArray[Any], said: npt.NDArray[Any], groups: Groups) -> float:
    """Return the equalised odds difference of answers ``said (row,)`` of 0 or 1."""
    by_group = [rates(truth[groups == name], said[groups == name]) for name in np.unique(groups)]
    found = []
    for rate in ("true_positive", "false_positive"):
        values = [each[rate] for each in by_group if not np.isnan(each[rate])]
        found.append(max(values) - min(values) if values else 0.0)
    return max(found)


def _said(part: Part) -> npt.NDArray[np.int64]:
    return np.asarray(part.answer.argmax(axis=1), np.int64)


def _two_classes(case: Case) -> bool:
    return case.classes is not None and len(case.classes) == 2


def _rows(case: Case, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a line for each group: how many rows, its rates, or its mean loss."""
    groups = groups_of(case.sealed.table, columns)
    losses = row_losses(case.sealed.truth, case.sealed.answer)
    lines = []
    for name in np.unique(groups):
        mine = groups == name
        draws = case.sealed.resamples(case.seed, among=mine)
        interval = draws.interval(draws.means(losses[mine])).as_json()
        line = {
            "columns": " and ".join(columns),
            "group": str(name),
            "rows": int(mine.sum()),
            "loss": interval["value"],
            "low": interval["low"],
            "high": interval["high"],
        }
        if _two_classes(case):
            line |= {
                rate: None if np.isnan(value) else value
                for rate, value in rates(case.sealed.truth[mine], _said(case.sealed)[mine]).items()
            }
        lines.append(line)
    return lines


def _compared(case: Case) -> list[tuple[str, str, npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
    """Return what groups are compared by, the foremost first: its name, the words for it, the value ``(row,)`` whose mean it is, and the rows ``(row,)`` that it is of."""
    truth = case.sealed.truth
    every = np.ones(len(truth), np.bool_)
    if case.classes is None or len(case.classes) != 2:
        return [("loss", "the loss", row_losses(truth, case.sealed.answer), every)]
    said, favoured = _said(case.sealed).astype(np.float64), case.classes[1]
    return [
        ("selected", f"the share that is given {favoured!r}", said, every),
        ("true_positive", f"the share that is given {favoured!r} of rows where that is true", said, truth == 1),
        ("false_positive", f"the share that is given {favoured!r} of rows where that is not true", said, truth == 0),
    ]


def _gaps(case: Case) -> list[dict[str, Any]]:
    """Return the largest differences between groups of enough rows, of each set of columns in each thing that they are compared by."""
    sets, measures = _combinations(case.protect), _compared(case)
    found = []
    for rate, what, values, rows in measures:
        for columns in sets:
            groups = groups_of(case.sealed.table, columns)
            gap = largest(
                values[rows],
                groups[rows],
                FEWEST_ROWS,
                together=None if case.sealed.groups is None else case.sealed.groups[rows],
                compared=len(sets) * len(measures),
                seed=case.seed,
            )
            if gap is None:
                continue
            share = rate != "loss"
            entry: dict[str, Any] = {"columns": " and ".join(columns), "by": columns, "rate": rate, "what": what}
            entry |= {"groups": gap.groups, "most": gap.most, "least": gap.least, **gap.interval.as_json()}
            entry |= {"by_chance": gap.by_chance, "chance": gap.chance, "unit": "a share" if share else "loss"}
            entry |= {"bound": UNFAIR * (1.0 if share else float(values.mean()))}
            if rate == "selected":
                names, sizes = np.unique(groups, return_counts=True)
                keep = np.isin(groups, names[sizes >= FEWEST_ROWS])
                said = _said(case.sealed)
                entry["equalised_odds"] = odds_difference(case.sealed.truth[keep], said[keep], groups[keep])
            found.append(entry)
    return found


def _mitigations(case: Case, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return what each remedy would do, and what it costs: learned on the chosen rows, or on training rows that count otherwise, and measured on the test rows."""
    if case.chosen is None or not _two_classes(case):
        return []
    groups, tested = groups_of(case.chosen.table, columns), groups_of(case.sealed.table, columns)
    kept = [name for name in np.unique(tested) if min((groups == name).sum(), (tested == name).sum()) >= FEWEST_TO_MEND]
    if len(kept) < 2:
        return []
    mended = np.isin(groups, kept)  # a threshold of few rows is a matter of chance: smaller groups keep that of all
    truth, asked = case.sealed.truth, case.sealed.answer[:, 1]
    chances, known = case.chosen.answer[:, 1], case.chosen.truth
    said = _said(case.chosen)
    rate = float(said[known == 1].mean()) if (known == 1).any() else 0.5
    every = {
        "as it is": _said(case.sealed),
        "a threshold for each group, equal shares": answers_by(
            parity_thresholds(chances[mended], groups[mended], float(said.mean())), asked, tested
        ),
        "a threshold for each group, equal true positive rates": answers_by(
            opportunity_thresholds(chances[mended], known[mended], groups[mended], rate), asked, tested
        ),
    }
    if (again := _reweighted(case, columns)) is not None:
        every[REWEIGHTED] = again
    rows = np.isin(tested, kept)
    return [
        {
            "remedy": name,
            "parity_difference": parity_difference(answer[rows], tested[rows]),
            "odds_difference": odds_difference(truth[rows], answer[rows], tested[rows]),
            "accuracy": float((answer[rows] == truth[rows]).mean()),
            "selected": float(answer[rows].mean()),
        }
        for name, answer in every.items()
    ]


def _reweighted(case: Case, columns: tuple[str, ...]) -> npt.NDArray[np.int64] | None:
    """Return the answers to the test rows of the shipped model fitted again on rows that count so that group and class are independent."""
    refit = case.refit
    if refit is None or case.shipped not in refit.names or not affords_fits(case, 1, REFITS[NAME]):
        return None
    weights = weights_of(groups_of(refit.train, columns), refit.truth)
    answer = refit.fit(case.shipped, np.arange(refit.train.rows), weights, case.refits.share(REFITS[NAME]))(
        case.sealed.table
    )
    return np.asarray(answer.argmax(axis=1), np.int64)


__all__ = ["NAME", "QUESTION", "SERVES", "SOURCE", "groups_of", "odds_difference", "parity_difference", "rates", "run"]
