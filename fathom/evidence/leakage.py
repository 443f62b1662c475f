"""Does something give the answer away: columns and rows that tell the target in a way that new rows will not.

It looks before anything is trained. The types are those of Kapoor and Narayanan, "Leakage and the reproducibility crisis in machine-learning-based science",
Patterns 4(9), 2023, table 1 (https://doi.org/10.1016/j.patter.2023.100804), as far as a table shows them:

* a column that is the target by another name: copied, scaled, binned, with noise (their type L2). Each column alone predicts the target of rows that its predictor did not see; skill is 1
  minus its error over that of a constant;
  Whether a cell is there at all counts as well: what is written down only afterwards is missing before;
* rows, texts and pictures that stand, almost unchanged, on both sides of the parting (L1.4);
* groups on both sides, whose members share the target (L3.2): an id that is met again tells more than chance;
* rows of one time on both sides (L3.1): neighbours in time tell the target, and what came before alone does not;
* a name, size or date of a file that tells the target (L2, by the back door).

The other types cannot happen here: the test rows are sealed (L1.1), and whatever is learned of a column is learned of training rows (L1.2, L1.3). What no table shows is whether a column will be known when the answer
is needed (L2, L3.1) and whether the rows are those that will be asked about (L3.3): the remedy asks.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from fathom.data.encoding import Column, inputs_of, target_classes
from fathom.data.rows.splitting import drawn
from fathom.data.table import Table
from fathom.evidence.both_sides import copies, deep_copies, groups, neighbours_in_time
from fathom.evidence.contract import EVERY_KIND, Finding
from fathom.evidence.file_traces import has_files, numbers_in, sizes_and_dates, words_in
from fathom.evidence.telling import Floats, Sides, class_words, keys, nearest, numbers_of, skill_of, smooth, some, there
from fathom.shapes import FLAT

NAME = "leakage"
QUESTION = "Does something give the answer away?"
SOURCE = "Kapoor and Narayanan, Patterns 4(9), 2023, https://doi.org/10.1016/j.patter.2023.100804"
SERVES = EVERY_KIND

GIVEN_AWAY = 0.99  # skill of a column alone that stops a fit, where there are others
LIKELY = 0.90  # skill that is warned of
TOLD_BY_FILE = 0.5  # skill of a file's name, size or date that is warned of
TOLD_BY_SIZE = 0.95  # the same of its size, which hangs on what it shows, too: plain pictures are packed smaller


def find(
    columns: Sequence[Column],
    target: Column,
    train: Table,
    check: Table,
    *,
    raw: tuple[Table, Table] | None = None,
    parted_by: Sequence[str] = (),
) -> Finding:
    """Look for leaks between the training rows and rows that choices are made by; ``status`` is ``"bad"`` where the fit should stop.

    ``raw`` are the same two tables before pictures were decoded, for what their files say; ``parted_by`` names the column of groups or of time by which rows were parted.

    ``rows`` of the finding are ``{leak, column, skill, sentence}``, the clearest first.
    """
    orders = [drawn(table) for table in (train, check)]
    train, check = (table.take(order) for table, order in zip((train, check), orders, strict=True))
    raw = raw and (raw[0].take(orders[0]), raw[1].take(orders[1]))
    known, asked = _truth(target, train), _truth(target, check)
    sides = Sides(target, known, asked)
    leaks = [
        *_telling_columns(columns, target, train, check, known, asked),
        *copies(columns, train, check),
        *deep_copies(columns, train, check),
        *(
            []
            if parted_by
            else [*groups(columns, sides, train, check), *neighbours_in_time(columns, sides, train, check)]
        ),
        *([] if raw is None else _files(columns, sides, *raw)),
    ]
    named = {leak["column"] for leak in leaks if leak["leak"] == "column"}
    leaks = [leak for leak in leaks if leak["leak"] in ("column", "copies") or leak["column"] not in named]
    leaks.sort(key=lambda leak: -leak["skill"])
    if not leaks:
        return Finding(
            NAME,
            QUESTION,
            "nothing found",
            "No column tells the target alone, and no row of one part stands in another.",
            0.0,
            status="good",
            source=SOURCE,
        )
    first = leaks[0]
    stop = any(leak["stops"] for leak in leaks)
    return Finding(
        NAME,
        QUESTION,
        "yes" if stop else "perhaps",
        " ".join(leak["sentence"] for leak in leaks[:3]),
        first["skill"],
        unit="skill, 1 is certainty",
        status="bad" if stop else "warning",
        remedy=_remedy(first),
        rows=[{name: value for name, value in leak.items() if name != "stops"} for leak in leaks],
        source=SOURCE,
    )


def _remedy(leak: dict[str, Any]) -> str:
    if leak["leak"] == "file":
        return "A network reads what a file shows, and may see traces of its size or date. Ask how the files of one kind came to differ from the others; if they will differ so when it is used, all is well."
    if leak["leak"] == "time":
        return f"Part the rows by time with --time {leak['column']}: then it is judged on what came later, as it will be used."
    if leak["leak"] == "group":
        return f"If new rows will be of new values of {leak['column']!r}, part the rows with --group {leak['column']}; else all is well."
    if leak["leak"] == "copies":
        return "Remove the copies, or name the column whose equal values belong together with --group. If they are meant to be there, add --allow-leakage."
    name = leak["column"]
    return (
        f"Ask whether {name!r} is known when the answer is needed. If not, leave it out with --columns {name}=skip; if rows with equal values of it belong together, add "
        f"--group {name}; if it is rightly known, add --allow-leakage."
    )


def _telling_columns(
    columns: Sequence[Column], target: Column, train: Table, check: Table, known: Floats, asked: Floats
) -> list[dict[str, Any]]:
    found = []
    left, right = some(train.rows), some(check.rows)
    train, check = train.take(left), check.take(right)
    for column in inputs_of(columns):
        if column.kind is None:
            continue
        classes = target_classes(target)
        if column.kind.SHAPE not in FLAT:
            skill = there(column, train, check, known[left], asked[right], classes)
            if skill >= LIKELY:
                sentence = f"Whether {column.name!r} is there at all tells {target.name!r}: skill {skill:.3f}."
                sure = skill >= GIVEN_AWAY and len(inputs_of(columns)) > 1
                found.append(
                    {"leak": "column", "column": column.name, "skill": skill, "sentence": sentence, "stops": sure}
                )
            continue
        skills = [skill_of(one, other, known[left], asked[right], classes) for one, other in keys(column, train, check)]
        skills.append(there(column, train, check, known[left], asked[right], classes))
        skills += [
            nearest(one, other, known[left], asked[right], classes) for one, other in numbers_of(column, train, check)
        ]
        skill = max(skills)
        if skill >= LIKELY:
            sure = skill >= GIVEN_AWAY and len(inputs_of(columns)) > 1
            sentence = f"Column {column.name!r} alone {'tells' if sure else 'nearly tells'} {target.name!r}: skill {skill:.3f} on rows that its predictor did not see."
            found.append({"leak": "column", "column": column.name, "skill": skill, "sentence": sentence, "stops": sure})
    return found


def _files(columns: Sequence[Column], sides: Sides, train: Table, check: Table) -> list[dict[str, Any]]:
    """Look at what files say of themselves: the words and the number of their names, their sizes and dates."""
    found = []
    for column in inputs_of(columns):
        one, other = train.column(column.name), check.column(column.name)
        if column.kind is None or not (has_files(one) and has_files(other)):
            continue
        classes = class_words(sides.target)
        said = [np.array(words_in(values, classes)) for values in (one, other)]
        views = {"name": skill_of(said[0], said[1], sides.known, sides.asked, sides.classes)}
        numbers = [numbers_in(values) for values in (one, other)]
        (size, date), (size_asked, date_asked) = sizes_and_dates(one), sizes_and_dates(other)
        pairs = {"number in the name": numbers, "size": [size, size_asked], "date": [date, date_asked]}
        for what, (left, right) in pairs.items():
            if np.isfinite(left).mean() > 0.5 and len(np.unique(left[np.isfinite(left)])) > 1:
                views[what] = max(
                    nearest(left, right, sides.known, sides.asked, sides.classes), smooth(left, right, sides)
                )
        for what, skill in views.items():
            if skill >= (TOLD_BY_SIZE if what == "size" else TOLD_BY_FILE):
                sentence = (
                    f"The {what} of the files of {column.name!r} alone tells {sides.target.name!r}: skill {skill:.2f}."
                )
                found.append(
                    {"leak": "file", "column": column.name, "skill": skill, "sentence": sentence, "stops": False}
                )
    return found


def _truth(target: Column, table: Table) -> Floats:
    assert target.kind is not None
    return np.asarray(target.kind.encode(target.state, table.column(target.name))[:, 0], np.float64)


def run(case: Any) -> Finding:
    """Look between the training rows and the chosen rows of a case."""
    from fathom.evidence.contract import not_applicable

    if case.train is None or case.chosen is None:
        return not_applicable(
            sys.modules[__name__],
            "Leaks are looked for between training rows and others, and a bundle holds no training rows.",
        )
    return find(case.columns, case.target, case.train, case.chosen.table)
