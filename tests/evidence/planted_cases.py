"""Of each check, and each thing that it says it serves, a case on which it must pass and one on which it must not: ``PLANTED[check](kind)``.

Where a check looks into cells, a table has one column, ``told``, of that kind.
"""

from dataclasses import replace
from functools import cache
from itertools import count

import numpy as np
import pyarrow as pa

from bench.causes import case_of as causal
from fathom.bundle.answers import unlikeness
from fathom.data.encoding import Column
from fathom.data.modalities import by_name
from fathom.data.table import Table
from fathom.evidence.contract import Case, Cost, Effect, Part
from tests.evidence.planted import column, nearest, regression_case

CLASSES = ("no", "yes")
ROWS = 240


# ---------------------------------------------------------------------------------------------------- what cells hold


@cache
def cells(kind):
    """A column of a kind, and its believable cells, decoded once."""
    kind = by_name(kind)
    values = kind.sample(ROWS, 0)
    state = kind.learn(values)
    if hasattr(kind, "settle"):
        values, _ = kind.settle(state, values, lambda done: None)
    return Column("told", "input", kind, 1.0, "planted", state), values


def late(values, truth):
    """A table of told cells, and which of two classes they are of; with the target's column."""
    table = Table.of({"told": values, "late": [CLASSES[code] for code in truth]})
    return table, column(Table.of({"late": list(CLASSES)}), "late", "category", "target")


def steady(rows):
    """A model that says the same of every row."""
    return np.tile([0.4, 0.6], (rows.rows, 1))


def leaking(kind):
    """A cell is there by chance, or only where the answer is yes."""
    told, values = cells(kind)
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, ROWS)

    def case(there):
        kept = pa.array(np.where(there, np.arange(ROWS), None), pa.int64())
        table, target = late(values.take(kept), truth)
        train, rest = table.take(np.arange(160)), table.take(np.arange(160, ROWS))
        part = Part(rest, truth[160:], steady(rest))
        return Case((told, target), target, CLASSES, part, steady, train=train, chosen=part)

    return case(random.random(ROWS) < 0.5), case(truth == 1)


def surprised(kind):
    """What is asked is the one thing that was met, or is of all sorts."""
    told, values = cells(kind)
    same = values.take(pa.array(np.zeros(ROWS, np.int64)))
    if kind in ("number", "date"):  # which differ a little
        moved = np.random.default_rng(0).normal(0, 1, (3, ROWS))
        made = [pa.array(500 + one) for one in moved]
        values = values if kind == "date" else pa.array(1_000 * moved[0])
        if kind == "date":
            day = np.datetime64("1950-06-01T00:00:00")
            made = [pa.array((day + (3_600 * one).astype("timedelta64[s]")).astype(str)) for one in moved]
        told = replace(told, state=told.kind.learn(made[0]))
    elif kind in ("category", "id", "labels"):
        made = [same] * 3
    else:
        made = [told.kind.corrupt(same, 1, seed) for seed in range(3)]
    train, aside, usual = (Table.of({"told": one}) for one in made)
    learned = unlikeness.learn((told,), train, aside)

    def case(rows):
        part = Part(rows, np.zeros(rows.rows), np.zeros(rows.rows))
        target = replace(told, role="target")
        return Case((told,), target, None, part, lambda rows: None, unlikeness=learned)

    return case(usual), case(Table.of({"told": values}))


def reasoned(kind):
    """An answer hangs on a fifth of a cell, or on nothing: it is drawn anew each time."""
    told, values = cells(kind)
    values = values.slice(0, 40)
    random = np.random.default_rng(0)
    numbers = {f"n{place}": random.normal(size=40) for place in range(6)}
    table = Table.of({"told": values, **{name: one.tolist() for name, one in numbers.items()}})
    columns = (told, *(column(table, name, "number") for name in numbers))

    def seen(rows):
        """How much of a few codes is in a row, or what the first of each five numbers are."""
        found = told.kind.encode(told.state, rows.column("told")).astype(float)
        if told.kind.SHAPE == "codes":
            return ((found % 5 == 1) & (found > 0)).sum(axis=1)
        flat = found.reshape(rows.rows, -1)
        if kind == "series":  # how far it goes from its middle: a stretch that is gone is a straight line
            return np.square(found[:, :, 1]).max(axis=1)
        return flat[:, : -(-flat.shape[1] // 5)].sum(axis=1)

    usual = seen(table)

    def hangs(rows):
        return (seen(rows) - usual.mean()) / (1e-6 + usual.std())

    asked = count()

    def drawn(rows):
        return np.random.default_rng(next(asked)).normal(size=rows.rows)

    def case(answer):
        part = Part(table, np.zeros(40), answer(table))
        few = Part(table.take(np.arange(12)), np.zeros(12), part.answer[:12])
        return Case(columns, replace(columns[1], role="target"), None, few, answer, train=table, chosen=part)

    return case(hangs), case(drawn)


def spoiled(kind):
    """A model that does not hang on the cells, and one that knows only cells as they were, and is as sure of others."""
    told, values = cells(kind)
    truth = np.random.default_rng(0).integers(0, 2, ROWS)
    whole = told.kind.encode(told.state, values).reshape(ROWS, -1)
    known = {row.tobytes(): code for row, code in zip(whole, truth, strict=True)}
    truth = np.array([known[row.tobytes()] for row in whole])
    table, target = late(values, truth)

    def deaf(asked):
        seen = told.kind.encode(told.state, asked.column("told")).reshape(asked.rows, -1)
        found = [known.get(row.tobytes(), -1) for row in seen]
        yes = np.array([0.95 if code < 0 else 0.9 if code else 0.1 for code in found])
        return np.stack([1 - yes, yes], 1)

    def case(answer):
        part = Part(table, truth, answer(table))
        return Case((told, target), target, CLASSES, part, answer, chosen=part)

    return case(steady), case(deaf)


FOOLED_ROWS = 60


def fooled_by(told, values, say):
    """A table of told cells, and a model that ``say``s how likely yes is."""

    def answer(table):
        yes = np.clip(say(table.column("told"), told), 0.01, 0.99)
        return np.stack([1 - yes, yes], 1)

    truth = answer(Table.of({"told": values})).argmax(axis=1)
    table, target = late(values, truth)
    return Case((told, target), target, CLASSES, Part(table, truth, answer(table)), answer)


def numbers(width):
    """Yes and no change places ``width`` standard deviations apart."""
    values = pa.array(np.random.default_rng(0).normal(0, 1, FOOLED_ROWS))
    kind = by_name("number")
    told = Column("told", "input", kind, 1.0, "planted", kind.learn(values))

    def say(told, column):
        return 0.5 + 0.49 * np.sin(np.pi * np.nan_to_num(told.to_numpy(zero_copy_only=False)) / width)

    return fooled_by(told, values, say)


def pictures(strong):
    """The mean of a picture says yes: its light, or a difference of one step in 255."""
    told, values = cells("image")
    values = values.slice(0, FOOLED_ROWS)

    def say(seen, column):
        light = column.kind.encode(column.state, seen).astype(float).mean(axis=(1, 2, 3))
        return 1 / (1 + np.exp(-(light - 70) / 20)) if strong else 0.5 + 0.49 * np.sin(np.pi * light / 1.5)

    return fooled_by(told, values, say)


def texts(strong):
    """Yes where one word stands, or where many do."""
    random = np.random.default_rng(0)
    words = ["good", "fine", "well", "bright"], ["poor", "dull", "grey", "worn"]
    values = pa.array([" ".join(random.choice(words[row % 2], 40 if strong else 1)) for row in range(FOOLED_ROWS)])
    kind = by_name("text")
    told = Column("told", "input", kind, 1.0, "planted", kind.learn(values))

    def one_of(word):
        return word in words[0] or (word not in words[1] and len(word) % 2 == 1)

    def say(seen, column):
        found = [[one_of(word) for word in (text or "").split()] for text in seen.to_pylist()]
        return np.array([np.mean(one) if one else 0.5 for one in found])

    return fooled_by(told, values, say)


def fooled(kind):
    """What hangs on large differences, and what hangs on the last digit."""
    make, strong, weak = {
        "number": (numbers, 30.0, 0.05),
        "image": (pictures, True, False),
        "text": (texts, True, False),
    }[kind]
    return make(strong), make(weak)


# ------------------------------------------------------------------------------------------------------- rows and groups


def sliced(kind, rows=1_000):
    """The model errs alike everywhere, or mostly where a cell is high, is 'far', or is yes."""
    random = np.random.default_rng(0)
    made = {
        "number": lambda: random.uniform(0, 1, rows),
        "category": lambda: random.choice(["here", "there", "far"], rows),
        "yes_no": lambda: random.choice(["yes", "no", "no"], rows),
    }[kind]()
    worse = made > 0.7 if kind == "number" else np.isin(made, ["far", "yes"])
    truth = random.integers(0, 2, rows)
    table, target = late(made.tolist(), truth)
    told = column(table, "told", kind)

    def case(share):
        wrong = random.random(rows) < np.where(worse, share, 0.1)
        yes = np.where(wrong, 1 - truth, truth) * 0.7 + 0.15
        answer = np.stack([1 - yes, yes], 1)
        one, other = (Part(table.take(half), truth[half], answer[half]) for half in np.array_split(np.arange(rows), 2))
        return Case((told, target), target, CLASSES, one, steady, chosen=other)

    return case(0.1), case(0.7)


def line(name, x, y, weights=None):
    """A model that draws a straight line."""
    slope = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    return lambda asked: np.c_[asked, np.ones(len(asked))] @ slope


def told_as(task, fit):
    """The same model, whose answer to a class is how likely it is."""
    if task == "number":
        return fit

    def fitted(name, x, y, weights=None):
        answer = fit(name, x, y, weights)

        def chances(asked):
            yes = np.clip(answer(asked), 0.02, 0.98)
            return np.stack([1 - yes, yes], 1)

        return chances

    return fitted


def plane(task, fit=line, rows=1_200, noise=0.5, **more):
    """Rows whose target hangs on two numbers, and a model of them."""
    random = np.random.default_rng(0)
    x, z, noises = random.normal(size=(3, rows))
    truth = 2 * x - z + noise * noises
    classes = CLASSES if task == "class" else None
    truth = (truth > 0).astype(np.int64) if classes else truth
    sex = random.integers(0, 2, rows)
    return regression_case({"x": x, "z": z, "sex": sex}, truth, rows // 2, told_as(task, fit), classes, **more)


def on_wrong_rows(task, share):
    """The case of a line, with a share of the truths of the judged rows wrong."""
    case = plane(task)
    random = np.random.default_rng(1)
    wrong = random.random(case.sealed.table.rows) < share
    truth = case.sealed.truth.copy()
    truth[wrong] = 1 - truth[wrong] if task == "class" else truth[wrong] + 60.0
    return replace(case, sealed=Part(case.sealed.table, truth, case.sealed.answer))


def promised(task):
    """The rows that are judged are like those that were chosen by, or much is wrong in them."""
    return plane(task), on_wrong_rows(task, 0.4)


def contradicted(task):
    """No label is wrong, or one in seven of those judged on: above one in twenty of all."""
    random = np.random.default_rng(0)

    def case(share):
        made = plane(task)
        parts = []
        for part in (made.chosen, made.sealed):
            wrong = random.random(part.table.rows) < share
            if task == "class":
                yes = np.where(part.truth == 1, 0.95, 0.05)
                truth = np.where(wrong, 1 - part.truth, part.truth)
                parts.append(Part(part.table, truth, np.stack([1 - yes, yes], 1)))
            else:
                parts.append(Part(part.table, np.where(wrong, 10 * part.truth + 90, part.truth), part.answer))
        return replace(made, chosen=parts[0], sealed=parts[1], refit=None)

    return case(0.0), case(0.07)


def treated_unlike(task):
    """Both sexes are answered alike, or one is given more, or worse answers."""
    good = replace(plane(task), protect=("sex",), refit=None)
    parts = []
    for part in (good.chosen, good.sealed):
        favoured = np.array(part.table.column("sex")) == 1
        answer = part.answer.copy()
        if task == "class":
            answer[favoured] = [0.1, 0.9]
        else:
            answer[favoured] += 2.0
        parts.append(Part(part.table, part.truth, answer))
    return good, replace(good, chosen=parts[0], sealed=parts[1])


def learned(task):
    """A line gives nothing away; rows learned by heart are given away."""
    return plane(task), plane(task, nearest)


def growing(task):
    """A line has learned all that it can; a neighbour comes nearer with each row."""
    return plane(task, noise=0.02), plane(task, nearest, noise=0.02)


def dear(task):
    """The cheapest model ships, and one that takes ten times as long."""
    cheap, costly = Cost("linear", 5, 0.001, 1e5), Cost("network", 100, 0.01, 1e6)
    return replace(plane(task), costs=(cheap, costly)), replace(plane(task), costs=(costly, cheap))


def caused(kind, rows=240):
    """Age makes some rows treated, or decides it almost alone, so that nothing can be compared: of a number, that a column tells it."""
    random = np.random.default_rng(0)
    age, other, noise = random.normal(size=(3, rows))

    def case(push):
        if kind == "number":
            treatment = age + noise if push < 5 else age
        else:
            treatment = [("no", "yes")[int(one)] for one in random.random(rows) < 1 / (1 + np.exp(-push * age))]
        target = 2 * age + random.normal(size=rows)
        made = {"age": age, "other": other, "treatment": treatment, "target": target}
        found = causal(Table.of({name: list(one) for name, one in made.items()}), effect=Effect("treatment"))
        if kind == "category":
            told = column(found.sealed.table, "treatment", "category")
            found = replace(found, columns=tuple(told if one.name == "treatment" else one for one in found.columns))
        return found

    return case(1.0), case(12.0)


PLANTED = {
    "leakage": leaking,
    "abstaining": promised,
    "unlike": surprised,
    "faithfulness": reasoned,
    "robustness": spoiled,
    "adversarial": fooled,
    "slices": sliced,
    "fairness": treated_unlike,
    "suspects": contradicted,
    "memorising": learned,
    "scaling": growing,
    "causes": caused,
    "cost": dear,
}
