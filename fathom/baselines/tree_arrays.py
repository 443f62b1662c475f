"""Sums of decision trees as arrays: answered by NumPy, written as ONNX; whoever grew them.

Splits (``interior`` nodes) and leaves are numbered apart, through all trees. A child is the number of a split, or
``-1 - number`` of a leaf.

=================== ======================== ================================================================
array               shape                    meaning
=================== ======================== ================================================================
``tree.root``       ``(tree,)`` int32        first split; trees of one target stand together
``tree.target``     ``(tree,)`` int32        the score that the tree adds to, rising
``tree.leaves``     ``(tree,)`` int32        number of leaves
``split.feature``   ``(split,)`` int32       the feature looked at
``split.threshold`` ``(split,)`` float64     yes where the value is at most this
``split.missing``   ``(split,)`` bool        yes where the value is not known (NaN)
``split.set``       ``(split,)`` int32       -1; or the set of categories: yes where the value is one of them
``split.yes``, no   ``(split,)`` int32       the children
``set.owner``       ``(member,)`` int32      the set that the member is of, rising
``set.member``      ``(member,)`` float64    a category
``leaf.value``      ``(leaf,)`` float64      what is added to the score
``base``            ``(target,)`` float64    the scores before any tree; trees of a single leaf are added here
=================== ======================== ================================================================

A value that is in no set, unseen categories and NaN among them, goes to "no".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.baselines.choosing import softmax
from fathom.baselines.contract import Matrix
from fathom.baselines.graph import TREE_DOMAIN, Drawing
from fathom.errors import require

Integers = npt.NDArray[np.int32]
Arrays = Mapping[str, npt.NDArray[Any]]

MOST_AT_ONCE = 500_000  # (row, tree) pairs walked at a time: some 40 MB
LEQ, MEMBER = 0, 6  # node modes of ONNX TreeEnsemble


@dataclass(frozen=True)
class Tree:
    """One tree; numbers of splits, leaves and sets count from 0 in it. Arrays as in the table above.

    ``sets`` are the categories of each set. A tree of a single leaf has no splits.
    """

    target: int
    feature: npt.NDArray[Any]
    threshold: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    set: npt.NDArray[Any]
    yes: npt.NDArray[Any]
    no: npt.NDArray[Any]
    sets: Sequence[npt.NDArray[np.float64]]
    leaf: npt.NDArray[np.float64]


def assemble(trees: Sequence[Tree], base: Matrix) -> dict[str, npt.NDArray[Any]]:
    """Join trees, and the scores before any tree ``(target,)``, into arrays."""
    base = np.array(base, dtype=np.float64)
    for tree in trees:
        if len(tree.leaf) == 1:
            base[tree.target] += tree.leaf[0]
    trees = sorted((tree for tree in trees if len(tree.leaf) > 1), key=lambda tree: tree.target)
    splits = _starts([len(tree.feature) for tree in trees])
    leaves = _starts([len(tree.leaf) for tree in trees])
    sets = _starts([len(tree.sets) for tree in trees])
    members = [members for tree in trees for members in tree.sets]

    def child(children: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        return np.asarray(np.where(children >= 0, children + splits[number], children - leaves[number]))

    def joined(parts: Sequence[npt.NDArray[Any]], kind: type[Any]) -> npt.NDArray[Any]:
        return np.concatenate([np.empty(0, dtype=kind), *parts]).astype(kind)

    return {
        "tree.root": splits[:-1].astype(np.int32),
        "tree.target": np.array([tree.target for tree in trees], dtype=np.int32),
        "tree.leaves": np.array([len(tree.leaf) for tree in trees], dtype=np.int32),
        "split.feature": joined([tree.feature for tree in trees], np.int32),
        "split.threshold": joined([tree.threshold for tree in trees], np.float64),
        "split.missing": joined([tree.missing for tree in trees], np.bool_),
        "split.set": joined(
            [np.where(tree.set >= 0, tree.set + start, -1) for tree, start in zip(trees, sets, strict=False)], np.int32
        ),
        "split.yes": joined([child(tree.yes, number) for number, tree in enumerate(trees)], np.int32),
        "split.no": joined([child(tree.no, number) for number, tree in enumerate(trees)], np.int32),
        "set.owner": np.repeat(np.arange(len(members)), [len(codes) for codes in members]).astype(np.int32),
        "set.member": joined(members, np.float64),
        "leaf.value": joined([tree.leaf for tree in trees], np.float64),
        "base": base,
    }


def _starts(lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return where each run begins when runs of these lengths stand end to end, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def scores(arrays: Arrays, matrix: Matrix) -> Matrix:
    """Add up the trees for ``(row, feature)``: ``(row, target)``. All rows and trees go down one level at a time."""
    answer = np.tile(arrays["base"], (len(matrix), 1))
    trees = len(arrays["tree.root"])
    if trees == 0:
        return answer
    targets, first = np.unique(arrays["tree.target"], return_index=True)
    forest = _forest(arrays)
    step = max(1, MOST_AT_ONCE // trees)
    for start in range(0, len(matrix), step):
        block = np.ascontiguousarray(matrix[start : start + step])
        values = arrays["leaf.value"][_walk(forest, block)]
        answer[start : start + step, targets] += np.add.reduceat(values, first, axis=1)
    return answer


@dataclass(frozen=True)
class _Forest:
    """The arrays as walking wants them: indices as wide as addresses, no beside yes, sets as a table."""

    root: npt.NDArray[np.intp]
    feature: npt.NDArray[np.intp]
    threshold: Matrix
    missing: npt.NDArray[np.bool_]
    children: npt.NDArray[np.intp]  # (2 * split,): for each split, where "no" leads and where "yes" leads
    set: npt.NDArray[np.intp]
    known: Matrix  # (category,): all categories of any set, rising
    member: npt.NDArray[np.bool_]  # (set, category)


def _forest(arrays: Arrays) -> _Forest:
    known, member = _set_table(arrays)
    return _Forest(
        root=arrays["tree.root"].astype(np.intp),
        feature=arrays["split.feature"].astype(np.intp),
        threshold=arrays["split.threshold"],
        missing=arrays["split.missing"],
        children=np.stack([arrays["split.no"], arrays["split.yes"]], axis=1).reshape(-1).astype(np.intp),
        set=arrays["split.set"].astype(np.intp),
        known=known,
        member=member,
    )


def _walk(forest: _Forest, block: Matrix) -> npt.NDArray[np.intp]:
    """Return the leaf that each row reaches in each tree, ``(row, tree)``."""
    rows, features = block.shape
    trees = len(forest.root)
    leaf = np.empty(rows * trees, dtype=np.intp)
    walker = np.arange(rows * trees)  # one for each row and tree, who is at a split until a leaf is reached
    split = np.tile(forest.root, rows)
    first = np.repeat(np.arange(rows) * features, trees)  # where the walker's row begins
    values, gaps = block.reshape(-1), bool(np.isnan(block).any())
    while len(walker):
        value = values[first + forest.feature[split]]
        yes = value <= forest.threshold[split]  # False for NaN
        if gaps:
            unknown = np.flatnonzero(np.isnan(value))
            yes[unknown] = forest.missing[split[unknown]]
        if len(forest.known):
            asks_set = np.flatnonzero(forest.set[split] >= 0)
            codes = value[asks_set]
            column = np.minimum(np.searchsorted(forest.known, codes), len(forest.known) - 1)
            yes[asks_set] = forest.member[forest.set[split[asks_set]], column] & (forest.known[column] == codes)
        child = forest.children[2 * split + yes]
        on = child >= 0
        leaf[walker[~on]] = -1 - child[~on]
        walker, split, first = walker[on], child[on], first[on]
    return leaf.reshape(rows, trees)


def _set_table(arrays: Arrays) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Return all categories of any set, rising, and ``(set, category)``: whether it is a member."""
    known, column = np.unique(arrays["set.member"], return_inverse=True)
    owner = arrays["set.owner"]
    table = np.zeros((int(owner[-1]) + 1 if len(owner) else 0, len(known)), dtype=np.bool_)
    table[owner, column] = True
    return known, table


def answers(arrays: Arrays, classes: int, matrix: Matrix) -> Matrix:
    """Answer rows: ``(row,)`` scalars, or ``(row, class)`` probabilities."""
    found = scores(arrays, matrix)
    return softmax(found) if classes else found[:, 0]


def score_nodes(drawing: Drawing, arrays: Arrays, source: str) -> str:
    """Draw :func:`scores` as one TreeEnsemble in double; return the name of its output."""
    base = arrays["base"][None]
    if len(arrays["tree.root"]) == 0:
        return drawing.repeat(source, base)
    from_array = require("onnx.numpy_helper", "train").from_array
    in_set = arrays["split.set"] >= 0
    attributes: dict[str, Any] = {
        "n_targets": base.shape[1],
        "aggregate_function": 1,  # sum
        "post_transform": 0,  # none
        "tree_roots": arrays["tree.root"],
        "nodes_featureids": arrays["split.feature"],
        "nodes_splits": from_array(arrays["split.threshold"]),
        "nodes_modes": from_array(np.where(in_set, MEMBER, LEQ).astype(np.uint8)),
        "nodes_missing_value_tracks_true": arrays["split.missing"].astype(np.int64),
        "leaf_targetids": np.repeat(arrays["tree.target"], arrays["tree.leaves"]),
        "leaf_weights": from_array(arrays["leaf.value"]),
    }
    for side, name in (("yes", "true"), ("no", "false")):
        children = arrays[f"split.{side}"]
        attributes[f"nodes_{name}nodeids"] = np.where(children >= 0, children, -1 - children)
        attributes[f"nodes_{name}leafs"] = (children < 0).astype(np.int64)
    if in_set.any():
        attributes["membership_values"] = from_array(_ended_sets(arrays))
    trees = drawing.node("TreeEnsemble", source, attributes=attributes, domain=TREE_DOMAIN)
    return drawing.node("Add", trees, drawing.constant(base))


def _ended_sets(arrays: Arrays) -> Matrix:
    """Return the sets in the order of the splits that ask for them, each ended by NaN."""
    owner, member = arrays["set.owner"], arrays["set.member"]
    start, end = (np.searchsorted(owner, np.arange(int(owner[-1]) + 1), side=side) for side in ("left", "right"))
    asked = arrays["split.set"][arrays["split.set"] >= 0]
    return np.concatenate([part for of in asked for part in (member[start[of] : end[of]], [np.nan])])
