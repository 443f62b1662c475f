"""The contract suite of modalities, which anyone can run over a modality of their own.

::

    from fathom.data.modalities.checking import problems
    import molecules

    for problem in problems(molecules):
        print(problem)

It makes values with the modality's own ``sample``, adds the worst that a table can hold, and looks whether every function keeps
what ``fathom.data.modalities.contract`` promises.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fathom.data.cells.values import is_heavy
from fathom.data.hostile import WORST_TEXT, hostile
from fathom.data.modalities.contract import Features, Modality, Role
from fathom.errors import OptionError, TableError
from fathom.shapes import DEEP, KINDS, Part, Shape, row_size

ROWS = 400  # of the sample
FUNCTIONS = (
    "claim",
    "learn",
    "parts",
    "encode",
    "decode",
    "unreadable",
    "missing",
    "features",
    "corrupt",
    "blank",
    "show",
    "sample",
)


def problems(module: Modality) -> list[str]:
    """Return a sentence for each promise that a modality breaks; an empty list for a good one.

    >>> from fathom.data.modalities import number
    >>> problems(number)
    []
    """
    return list(each_problem(module))


def each_problem(module: Modality) -> Iterator[str]:
    """Yield a sentence for each promise that a modality breaks, as it is found; stop at once where names are lacking."""
    lacking = list(_names(module))
    yield from lacking
    for check in () if lacking else _CHECKS:
        try:
            yield from check(module)
        except Exception as error:
            what = check.__name__.strip("_").replace("_", " ")
            yield f"{module.NAME}, {what}: raised {type(error).__name__}: {str(error)[:200]}"


def _names(module: Modality) -> Iterator[str]:
    for name in ("NAME", "SHAPE", "SUMMARY", "SOURCE", "PREDICTABLE", "State", *FUNCTIONS):
        if getattr(module, name, None) is None:
            yield f"The module lacks {name}."
    state = getattr(module, "State", None)
    if state is not None and not getattr(getattr(state, "__dataclass_params__", None), "frozen", False):
        yield "State is not a frozen dataclass."
    shape = getattr(module, "SHAPE", None)
    if shape not in get_args(Shape):
        yield f"SHAPE is {shape!r}, which is none of the six shapes."
    elif shape == "boxes":
        yield "SHAPE is 'boxes', which no network reads yet."


def _columns(module: Modality) -> list[pa.Array]:
    """Return the sample as it is made, and as text if it is made typed."""
    values = module.sample(ROWS, 0)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or is_heavy(kind):
        return [values]
    return [values, pc.fill_null(values.cast(pa.string()), "")]


def _among_worst(values: pa.Array) -> pa.Array:
    """Return the values with the worst texts among them; those without words with a null."""
    if is_heavy(values.type):
        return pa.concat_arrays([values, pa.nulls(1, values.type)])
    return pa.concat_arrays([values.cast(pa.string()), pa.array([*WORST_TEXT, None])])


def _plain(values: pa.Array) -> list[Any]:
    """Return values that can be compared: words where they have any."""
    plain: list[Any] = (values if is_heavy(values.type) else values.cast(pa.string()).fill_null("")).to_pylist()
    return plain


def _roles(module: Modality) -> tuple[Role, ...]:
    return ("input", "target") if module.PREDICTABLE else ("input",)


def _learned(module: Modality) -> Iterator[tuple[Role, pa.Array, Any]]:
    """Yield each role and column with a state learned from the column's first half; a target has no missing cells."""
    for role in _roles(module):
        for values in _columns(module):
            column = values.filter(pa.array(~module.missing(values))) if role == "target" else values
            yield role, column, module.learn(column.slice(0, len(column) // 2), role)


def _claims(module: Modality) -> Iterator[str]:
    for values in _columns(module):
        claimed = module.claim(values)
        if not claimed.confidence >= 0.5:
            yield f"claim: is {claimed.confidence} sure of the modality's own sample of type {values.type}, expected 0.5 or more."
    for name, values in hostile().items():
        claimed = module.claim(values)
        if not 0 <= claimed.confidence <= 1 or not claimed.reason:
            yield f"claim: of {name} it is {claimed.confidence} sure with the reason {claimed.reason!r}, expected 0 to 1 and a reason."


def _samples(module: Modality) -> Iterator[str]:
    for count in (0, 1, ROWS):
        one, again = module.sample(count, 1), module.sample(count, 1)
        if len(one) != count:
            yield f"sample: made {len(one)} values where {count} were asked for."
        if not one.equals(again):
            yield "sample: the same seed made other values."


def _learning(module: Modality) -> Iterator[str]:
    for role, values, state in _learned(module):
        half = values.slice(0, len(values) // 2)
        before = dataclasses.asdict(state)
        module.learn(values, role)
        module.encode(state, values)
        module.features(state, values)
        if dataclasses.asdict(state) != before or module.learn(half, role) != state:
            yield f"learn: what is learned from training rows as {role} changes with the rows seen elsewhere."
        again = type(state)(**json.loads(json.dumps(before, allow_nan=False)))
        if module.encode(state, values).tobytes() != module.encode(again, values).tobytes() or again != state:
            yield f"State: as {role}, JSON does not bring it back as it was."
    for name, values in hostile().items():
        for role in _roles(module):
            try:
                state = module.learn(values, role)
                yield from _encoded(module, role, state, values, f"{name}, learned from")
            except (TableError, OptionError) as error:
                if not str(error).strip():
                    yield f"learn: of {name} it raised an error without a word."


def _encoding(module: Modality) -> Iterator[str]:
    for role, values, state in _learned(module):
        for part in module.parts(state, "column"):
            if part.shape == "scalar" and (len(part.knots) < 2 or not (np.diff(part.knots) > 0).all()):
                yield f"parts: the knots of {part.label!r} are not two or more increasing numbers."
            if part.shape != module.SHAPE or part.column != "column":
                yield f"parts: {part.label!r} has the shape {part.shape!r} and the column {part.column!r}."
        yield from _encoded(module, role, state, values, "the sample")
        for name, worst in hostile().items():
            yield from _encoded(module, role, state, worst, name)
        yield from _same_by_row(partial(module.encode, state), _among_worst(values), "encode")


def _encoded(module: Modality, role: Role, state: Any, values: pa.Array, name: str) -> Iterator[str]:
    """Look at what one column is encoded to."""
    parts = module.parts(state, "column")
    encoded = module.encode(state, values)
    kind, size = np.dtype(KINDS[module.SHAPE]), row_size(parts)
    if encoded.shape != (len(values), *size) or encoded.dtype != kind:
        yield (
            f"encode: {name} became {encoded.dtype} of shape {encoded.shape}, expected {kind} of shape {(len(values), *size)}."
        )
    elif module.SHAPE in DEEP:
        yield from _deep_array(module, parts, encoded, module.missing(values), name)
    elif module.SHAPE == "scalar" and not np.isfinite(encoded).all():
        yield f"encode: {name} became NaN or infinite."
    elif module.SHAPE == "code":
        lowest = -1 if role == "target" else 0  # -1: a cell that is none of a target's classes
        if not ((encoded >= lowest) & (encoded < [part.codes for part in parts])).all():
            yield f"encode: {name} became a code out of range ({encoded.min()} to {encoded.max()})."
    for function in (module.missing, lambda some: module.unreadable(state, some)):
        marks = function(values)
        if marks.shape != (len(values),) or marks.dtype != np.bool_:
            yield f"missing or unreadable: {name} is marked by {marks.dtype} of shape {marks.shape}, expected one bool a row."
    if (module.missing(values) & module.unreadable(state, values)).any():
        yield f"unreadable: a missing cell of {name} is marked; missing cells are not unreadable."


def _deep_array(
    module: Modality, parts: tuple[Part, ...], encoded: npt.NDArray[Any], missing: npt.NDArray[np.bool_], name: str
) -> Iterator[str]:
    """Look whether a deep array keeps the rule that zero is nothing."""
    if len(parts) != 1 or not parts[0].size:
        yield f"parts: there are {len(parts)}, expected one with a size."
    if encoded[missing].any():
        yield f"encode: missing cells of {name} are not zero throughout."
    if module.SHAPE == "codes" and not ((encoded >= 0) & (encoded < parts[0].codes)).all():
        yield f"encode: {name} became a code out of range ({encoded.min()} to {encoded.max()})."
    if module.SHAPE == "vectors":
        there = encoded[:, :, 0]
        if not np.isfinite(encoded).all() or not np.isin(there, (0, 1)).all() or encoded[there == 0].any():
            yield f"encode: {name} became not finite, or channel 0 is not 1 on the steps that are there and the others zero."
    if module.SHAPE != "grid":
        steps = encoded if module.SHAPE == "codes" else encoded[:, :, 0]
        if (np.diff((steps != 0).astype(np.int8), axis=1) > 0).any():
            yield f"encode: {name} has gaps before or between its steps; the padding comes last."


def _settling(module: Modality) -> Iterator[str]:
    """Look whether the compact values tell what the others do."""
    if not hasattr(module, "settle"):
        return
    for _, values, state in _learned(module):
        told: list[int] = []
        compact, marks = module.settle(state, values, told.append)
        if len(compact) != len(values) or marks.shape != (len(values),) or marks.any():
            yield f"settle: {len(values)} values of the sample became {len(compact)}, {marks.sum()} of them marked."
        elif told[-1:] != [len(values)] or told != sorted(told):
            yield f"settle: advance was told {told[-3:]} at last, of {len(values)} cells."
        elif not np.array_equal(module.encode(state, compact), module.encode(state, values)):
            yield "settle: the compact values are encoded otherwise."
        elif not np.array_equal(
            module.features(state, compact).matrix, module.features(state, values).matrix, equal_nan=True
        ):
            yield "settle: the compact values have other features."
        elif not np.array_equal(module.missing(compact), module.missing(values)):
            yield "settle: other cells are missing among the compact values."
        elif not module.settle(state, compact, told.append)[0].equals(compact):
            yield "settle: compact values do not settle to themselves."


def _singling(module: Modality) -> Iterator[str]:
    """Check that `single` says of one cell what `encode` and `features` say of it in a column."""
    if not hasattr(module, "single"):
        return
    numbers = [0, 1, -3, 0.5, -0.0, 2**60, 1e-300, 1e30, -1e300, 1.7e308, None, True, "word", ""]
    for _, values, state in _learned(module):
        for features in (False, True):
            single = module.single(state, features)
            for cell in [*values.slice(0, 100).to_pylist(), *numbers]:
                found = single(cell)
                column = pa.array([cell])
                told = module.features(state, column).matrix if features else module.encode(state, column)
                if found is not None and not np.allclose(
                    np.array([found], told.dtype), told, rtol=1e-6, atol=1e-7, equal_nan=True
                ):
                    yield f"single: {cell!r} alone is {found}, and in a column {told[0].tolist()}."


def _same_by_row(function: Callable[[pa.Array], npt.NDArray[Any]], values: pa.Array, name: str) -> Iterator[str]:
    """Check that what a row becomes depends on that row alone."""
    whole = function(values)
    pieces = np.concatenate([function(values.slice(start, 37)) for start in range(0, len(values), 37)])
    if not np.array_equal(whole, pieces, equal_nan=True):
        yield f"{name}: rows differ when they come in slices."
    order = np.random.default_rng(0).permutation(len(values))
    if not np.array_equal(whole[order], function(values.take(pa.array(order))), equal_nan=True):
        yield f"{name}: rows differ when they come in another order."


def _missing_cells(module: Modality) -> Iterator[str]:
    for role, values, state in _learned(module):
        blank = module.blank(state, 3)
        if len(blank) != 3 or not module.missing(blank).all():
            yield "blank: its values are not missing."
        elif not np.array_equal(module.encode(state, blank), module.encode(state, pa.nulls(3, values.type))):
            yield f"blank: as {role} it is encoded other than a missing cell."
    if module.missing(pa.array([None, "", "NaN"], pa.string())).tolist() != [True, True, True]:
        yield "missing: a null, an empty or a 'NaN' cell is not marked."
    known = module.sample(ROWS, 0).drop_null()
    if module.missing(known).all():
        yield "missing: every cell of the sample is marked."


def _hand_made_features(module: Modality) -> Iterator[str]:
    for _, values, state in _learned(module):
        columns = {"the sample": values, **hostile()}
        for name, column in columns.items():
            made = module.features(state, column)
            yield from _feature_matrix(made, len(column), name)
        yield from _same_by_row(partial(_matrix, module, state), _among_worst(values), "features")


def _matrix(module: Modality, state: Any, values: pa.Array) -> npt.NDArray[np.float64]:
    return module.features(state, values).matrix


def _feature_matrix(made: Features, rows: int, name: str) -> Iterator[str]:
    if made.matrix.shape != (rows, len(made.names)) or len(made.sizes) != len(made.names):
        yield f"features: of {name} the shape is {made.matrix.shape}, with {len(made.names)} names and {len(made.sizes)} sizes."
        return
    if made.matrix.dtype != np.float64 or np.isinf(made.matrix).any():
        yield f"features: of {name} they are {made.matrix.dtype}, or infinite."
    for feature, size in enumerate(made.sizes):
        codes = made.matrix[:, feature]
        if size and not ((codes >= 0) & (codes < size) & (codes == np.trunc(codes))).all():
            yield f"features: of {name} the category {made.names[feature]!r} has codes that are not whole numbers below {size}."


def _back_again(module: Modality) -> Iterator[str]:
    if not module.PREDICTABLE:
        return
    for values in _columns(module):
        known = values.filter(pa.array(~module.missing(values)))
        state = module.learn(known, "target")
        encoded = module.encode(state, known)[:, 0]
        answer = np.eye(module.parts(state, "column")[0].codes)[encoded] if module.SHAPE == "code" else encoded
        decoded = module.decode(state, answer)
        if not isinstance(decoded, pa.Array) or len(decoded) != len(known):
            yield "decode: it does not return an Arrow array of one value a row."
        elif module.SHAPE == "scalar":
            truth = known.cast(pa.float64()).to_numpy()
            if not np.allclose(
                decoded.cast(pa.float64()).to_numpy(), truth, rtol=1e-5, atol=1e-5 * float(np.ptp(truth))
            ):
                yield "decode: values do not come back from their own encoding."
        elif not pc.all(pc.equal(decoded.cast(pa.string()), known.cast(pa.string()))).as_py():
            yield "decode: values do not come back from their own encoding."
        module.decode(state, answer[:0])


def _corrupting(module: Modality) -> Iterator[str]:
    for role, values, state in _learned(module):
        texts = [_plain(values)]
        for severity in range(1, 6):
            worse = module.corrupt(values, severity, 7)
            if len(worse) != len(values):
                yield f"corrupt: {len(values)} values became {len(worse)}."
            elif not worse.equals(module.corrupt(values, severity, 7)):
                yield "corrupt: the same seed did other things."
            else:
                yield from _encoded(module, role, state, worse, f"the sample at severity {severity}")
                texts.append(_plain(worse))
        if len(texts) > 1 and texts[-1] == texts[0]:
            yield "corrupt: severity 5 changed nothing."
        if module.corrupt(values, 5, 7).equals(module.corrupt(values, 5, 8)):
            yield "corrupt: another seed did the same."
        if role == "input" and module.missing(module.corrupt(values, 5, 7)).mean() > 0.5:
            yield "corrupt: more than half of the cells were emptied."
    for name, worst in hostile().items():
        if len(module.corrupt(worst, 3, 0)) != len(worst):
            yield f"corrupt: {name} changed their number."


def _showing(module: Modality) -> Iterator[str]:
    for _, values, state in _learned(module):
        for value in [*values.slice(0, 20).to_pylist(), None]:
            shown = module.show(state, value)
            if not isinstance(shown, str) or not shown:
                yield f"show: {value!r} became {shown!r}, expected words."


_CHECKS = (
    _claims,
    _samples,
    _learning,
    _encoding,
    _settling,
    _singling,
    _missing_cells,
    _hand_made_features,
    _back_again,
    _corrupting,
    _showing,
)

__all__ = ["FUNCTIONS", "each_problem", "problems"]
