"""Every kind of column keeps the contract, and the suite that says so catches kinds that do not."""

import dataclasses
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fathom.data.hostile import hostile
from fathom.data.modalities import MODALITIES, by_name, category, contract, identifier, number, yes_no
from fathom.data.modalities.checking import FUNCTIONS, each_problem, problems
from fathom.errors import OptionError


@pytest.mark.parametrize("module", MODALITIES, ids=lambda module: module.NAME)
def test_every_modality_keeps_the_contract(module: ModuleType) -> None:
    assert problems(module) == []


def like(module: ModuleType, **changed: Any) -> Any:
    """Return a copy of a modality with some of its names put in place of the real ones."""
    names = ("NAME", "SHAPE", "SUMMARY", "SOURCE", "PREDICTABLE", "State", *FUNCTIONS)
    return SimpleNamespace(**({name: getattr(module, name) for name in names} | changed))


def ranks(state: Any, values: pa.Array) -> np.ndarray:
    encoded = number.encode(state, values)
    encoded[:, 0] = np.argsort(np.argsort(encoded[:, 0])) / max(len(values), 1)
    return encoded


def with_nan(state: Any, values: pa.Array) -> np.ndarray:
    encoded = number.encode(state, values)
    encoded[number.missing(values), 0] = np.nan
    return encoded


def drifting(state: Any, values: pa.Array) -> np.ndarray:
    return number.encode(state, values) + np.arange(len(values), dtype=np.float32)[:, None]


@dataclasses.dataclass(frozen=True)
class SetState:
    words: Any = frozenset({"a"})


@dataclasses.dataclass
class LooseState:
    words: tuple[str, ...] = ()


seen: list[float] = []


def remembering(values: pa.Array, role: contract.Role = "input") -> number.State:
    """Learn from every row that was ever seen, test rows included."""
    state = number.learn(values, role)
    seen.append(state.highest)
    return dataclasses.replace(state, highest=max(seen) + len(seen))


BROKEN = {
    "lacks a function": (like(number, features=None), "The module lacks features."),
    "has a state that can be changed": (like(number, State=LooseState), "State is not a frozen dataclass."),
    "has an unknown shape": (like(number, SHAPE="cube"), "SHAPE is 'cube', which is none of the six shapes."),
    "has a shape that no network reads": (like(number, SHAPE="boxes"), "SHAPE is 'boxes', which no network reads yet."),
    "writes another shape than it says": (
        like(number, SHAPE="grid"),
        "became float32 of shape (3, 2), expected uint8 of shape (3, 2).",
    ),
    "does not claim its own": (
        like(number, claim=lambda values: contract.Claim(0.1, "no idea")),
        "claim: is 0.1 sure of the modality's own sample of type double, expected 0.5 or more.",
    ),
    "claims more than all": (
        like(number, claim=lambda values: contract.Claim(2.0, "sure")),
        "claim: of no rows it is 2.0 sure with the reason 'sure', expected 0 to 1 and a reason.",
    ),
    "claims only clean values": (
        like(number, claim=lambda values: contract.Claim(1.0, str(values.cast(pa.float64())))),
        "number, claims: raised ArrowInvalid: ",
    ),
    "makes too few": (
        like(number, sample=lambda count, seed: number.sample(count - 1 if count else 0, seed)),
        "sample: made 0 values where 1 were asked for.",
    ),
    "learns from every row it sees": (
        like(number, learn=remembering),
        "learn: what is learned from training rows as input changes with the rows seen elsewhere.",
    ),
    "has a state that JSON cannot hold": (
        like(category, State=SetState, learn=lambda values, role="input": SetState()),
        "category, learning: raised AttributeError: ",
    ),
    "writes NaN": (like(number, encode=with_nan), "encode: the sample became NaN or infinite."),
    "writes doubles": (
        like(number, encode=lambda state, values: number.encode(state, values).astype(np.float64)),
        "encode: the sample became float64 of shape (400, 2), expected float32 of shape (400, 2).",
    ),
    "writes codes out of range": (
        like(category, encode=lambda state, values: category.encode(state, values) + 1),
        "encode: the sample became a code out of range (1 to 8).",
    ),
    "ranks the rows of one call": (like(number, encode=ranks), "encode: rows differ when they come in slices."),
    "counts the rows": (like(number, encode=drifting), "encode: rows differ when they come in another order."),
    "fails on strange text": (
        like(category, encode=lambda state, values: category.encode(state, values.cast(pa.string()))),
        "category, encoding: raised ArrowNotImplementedError: ",
    ),
    "has knots that fall": (
        like(
            number,
            parts=lambda state, column: tuple(
                dataclasses.replace(part, knots=part.knots[::-1]) for part in number.parts(state, column)
            ),
        ),
        "parts: the knots of 'column' are not two or more increasing numbers.",
    ),
    "calls a missing cell unreadable": (
        like(number, unreadable=lambda state, values: number.missing(values)),
        "unreadable: a missing cell of the sample is marked; missing cells are not unreadable.",
    ),
    "has a blank that is a value": (
        like(number, blank=lambda state, rows: pa.array([0.0] * rows)),
        "blank: its values are not missing.",
    ),
    "misses no cell": (
        like(number, missing=lambda values: np.zeros(len(values), np.bool_)),
        "missing: a null, an empty or a 'NaN' cell is not marked.",
    ),
    "makes infinite features": (
        like(yes_no, features=lambda state, values: contract.Features(np.full((len(values), 1), np.inf), ("a",), (0,))),
        "features: of the sample they are float64, or infinite.",
    ),
    "makes features beyond their size": (
        like(
            category,
            features=lambda state, values: dataclasses.replace(category.features(state, values), sizes=(3,)),
        ),
        "features: of the sample the category 'value' has codes that are not whole numbers below 3.",
    ),
    "names too few features": (
        like(yes_no, features=lambda state, values: dataclasses.replace(yes_no.features(state, values), names=())),
        "features: of the sample the shape is (400, 1), with 0 names and 1 sizes.",
    ),
    "decodes other values": (
        like(number, decode=lambda state, answer: number.decode(state, answer * 1.1)),
        "decode: values do not come back from their own encoding.",
    ),
    "decodes the first word always": (
        like(category, decode=lambda state, answer: pa.array([state.words[0]] * len(answer), pa.string())),
        "decode: values do not come back from their own encoding.",
    ),
    "loses rows when it corrupts": (
        like(yes_no, corrupt=lambda values, severity, seed: yes_no.corrupt(values, severity, seed).slice(1)),
        "corrupt: 400 values became 399.",
    ),
    "corrupts by chance": (
        like(yes_no, corrupt=lambda values, severity, seed: yes_no.corrupt(values, severity, len(seen))),
        "corrupt: another seed did the same.",
    ),
    "corrupts nothing": (
        like(yes_no, corrupt=lambda values, severity, seed: values),
        "corrupt: severity 5 changed nothing.",
    ),
    "shows nothing": (like(yes_no, show=lambda state, value: ""), "became '', expected words."),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_suite_catches_a_modality_that(how: str) -> None:
    module, expected = BROKEN[how]
    assert any(expected in problem for problem in each_problem(module)), problems(module)


def test_names_belong_to_one_modality_each_and_sources_are_given() -> None:
    names = [module.NAME for module in MODALITIES]
    assert names[:5] == ["number", "yes_no", "category", "date", "id"]
    assert len(set(names)) == len(names)
    assert all(module.SOURCE and module.SUMMARY for module in MODALITIES)


def test_an_unknown_kind_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(OptionError) as caught:
        by_name("numbr")
    assert str(caught.value).startswith(
        "There is no kind of column called 'numbr'. Did you mean 'number'? The kinds are: number, yes_no, category, date, id"
    )


def test_a_users_own_modality_is_found_by_its_name() -> None:
    mine = like(number, NAME="amount")
    assert by_name("amount", (*MODALITIES, mine)) is mine


def best(values: pa.Array) -> str:
    return max(MODALITIES, key=lambda module: module.claim(values).confidence).NAME


NAMES = [
    "anna",
    "bruno",
    "carla",
    "Dörte",
    "emil",
    "fatima",
    "gustav",
    "hanna",
    "ivo",
    "jana",
    "karl",
    "lena",
    "müller",
]
COLUMNS = {
    "number": [
        pa.array([str(number) for number in np.round(np.random.default_rng(0).normal(size=100), 3)]),
        pa.array(np.random.default_rng(0).integers(0, 5_000, 100)),
        pa.array([f"$1,{number}" for number in range(100, 200)]),
        pa.array([str(year) for year in range(1900, 2000)]),
        pa.array([1.5, 2.5] * 20),
        pa.array([1, 2, 3] * 20),
    ],
    "yes_no": [
        pa.array(["yes", "no", ""] * 10),
        pa.array([True, False] * 9),
        pa.array(["0", "1"] * 20),
        pa.array([0, 1] * 20),
    ],
    "category": [
        pa.array(["nurse", "cook", "driver"] * 10),
        pa.array(["02134", "10001", "90210"] * 10),
        pa.array(["0", "1", "2", "3+"] * 20),
        pa.array(["yes", "no", "perhaps"] * 10),
        pa.array(["male", "female"] * 10),
        pa.array(["I do agree", "I do not agree at all", "I am in two minds about it"] * 20),
    ],
    "date": [
        pa.array([f"2024-01-{day:02}" for day in range(1, 31)]),
        pa.array([f"{hour}:30" for hour in range(24)]),
        pa.array([20240100 + day for day in range(1, 29)]),
    ],
    "id": [
        pa.array([f"C-{number * 7919:06}" for number in range(100)]),
        pa.array(range(1, 101)),
        pa.array([str(4_917_100_000_000 + number * 7919) for number in range(100)]),
        pa.array([f"{number * 7919:08}" for number in range(100)]),
        pa.array([f"user{number}@example.org" for number in range(100)]),
    ],
    "text": [
        pa.array([f"the {name} was good, {other}" for name in NAMES for other in ("again", "never again", "once")]),
        pa.array([f"{name}很好" * 9 for name in NAMES]),
        pa.array([f"{name} {other}" for name in NAMES for other in NAMES]),
        pa.array(NAMES),
    ],
    "labels": [
        pa.array([f"{one}; {other}" for one in NAMES for other in NAMES] * 2),
    ],
    "molecule": [
        pa.array(
            [f"C{'C' * chain}(=O)O{ring}" for chain in range(10) for ring in ("c1ccccc1", "[C@@H](N)Cl", "C1CC1")]
        ),
    ],
}


@pytest.mark.parametrize("expected", COLUMNS)
def test_the_right_kind_is_the_surest_of_a_column(expected: str) -> None:
    assert [best(values) for values in COLUMNS[expected]] == [expected] * len(COLUMNS[expected])


def test_the_worst_values_hold_what_tables_break_on() -> None:
    assert {"nulls without a type", "no rows", "a string of a megabyte", "floats without end"} <= set(hostile())


def test_an_identifier_cannot_be_predicted() -> None:
    with pytest.raises(OptionError) as caught:
        identifier.learn(pa.array(["a1"]), "target")
    assert str(caught.value) == (
        "An id column cannot be predicted: each row has its own. Choose another target, or --columns NAME=category."
    )
