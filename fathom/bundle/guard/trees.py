"""The trees of a graph are looked at before they are walked: ONNX Runtime trusts every place that they name (onnxruntime 1.31.1)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fathom.bundle.guard.protobuf import MalformedError

Ints = npt.NDArray[np.int64]
MOST_TREES = 1_000_000
MEMBER = 6  # the kind of split that asks for a set, the last of the kinds


def check(node: Any, graph: Any) -> None:
    """Raise MalformedError unless every branch leads on to a later split or to a leaf that is there, and every split reads a feature that is there."""
    held = node.attributes
    features = graph.inputs.get(node.inputs[0] if node.inputs else "", ())
    width = features[1] if len(features) == 2 else 0
    splits = _numbers(held, "nodes_featureids")
    count, leaves = len(splits), _size(held, "leaf_weights")
    per_split = ("nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs")
    lengths = [len(_numbers(held, name)) for name in per_split]
    lengths += [_size(held, name) for name in ("nodes_splits", "nodes_modes")]
    missing = _numbers(held, "nodes_missing_value_tracks_true")
    if any(length != count for length in lengths) or len(missing) not in (0, count) or "nodes_hitrates" in held:
        raise MalformedError("its trees do not say of every split what it asks and where it leads")
    targets = _numbers(held, "leaf_targetids")
    wanted = held.get("n_targets")
    if not isinstance(wanted, int) or not 0 < wanted <= 1 << 16 or len(targets) != leaves:
        raise MalformedError("its trees do not say what their leaves answer")
    roots = _numbers(held, "tree_roots")
    if not 0 < len(roots) <= MOST_TREES or not count or not leaves:
        raise MalformedError(f"it has {len(roots):,} trees with {count:,} splits and {leaves:,} leaves")
    sound = _within(roots, count) and _within(splits, width) and _within(targets, wanted)
    places = np.arange(count)
    reached = [roots]
    for side in ("true", "false"):
        leaf = _numbers(held, f"nodes_{side}leafs")
        next_one = _numbers(held, f"nodes_{side}nodeids")
        sound = (
            sound and _within(leaf, 2) and _within(next_one[leaf == 1], leaves) and _within(next_one[leaf == 0], count)
        )
        sound = sound and bool((next_one[leaf == 0] > places[leaf == 0]).all())
        reached.append(next_one[leaf == 0])
    if not sound or len(np.unique(np.concatenate(reached))) < sum(map(len, reached)):
        raise MalformedError("one of its trees leads to a place that is not there, or back")
    _check_sets(held)
    for name in ("aggregate_function", "post_transform"):
        if held.get(name, 0) not in range(5):
            raise MalformedError(f"its trees have {name} {held.get(name)!r}")


def _check_sets(held: Any) -> None:
    """Every split that asks for a set has one, ended by NaN; its kind of question is one that there is."""
    kinds = np.frombuffer(held["nodes_modes"].raw, np.uint8)
    if held["nodes_modes"].kind != 2 or (kinds > MEMBER).any():
        raise MalformedError("its trees ask a question that there is not")
    asked = int((kinds == MEMBER).sum())
    sets = held.get("membership_values")
    if sets is None and not asked:
        return
    _size(held, "membership_values")
    members = np.frombuffer(sets.raw, {1: "<f4", 11: "<f8"}.get(sets.kind, "u1"))
    if (
        members.dtype.kind != "f"
        or not len(members)
        or not np.isnan(members[-1])
        or int(np.isnan(members).sum()) != asked
    ):
        raise MalformedError("the sets that its trees ask for are not there")


def _within(numbers: Ints, limit: int) -> bool:
    return bool(((numbers >= 0) & (numbers < limit)).all())


def _numbers(held: Any, name: str) -> Ints:
    found = held.get(name, np.zeros(0, np.int64))
    if not isinstance(found, np.ndarray):
        raise MalformedError(f"its trees have {name} of another kind")
    return found


def _size(held: Any, name: str) -> int:
    tensor = held.get(name)
    if tensor is None or not hasattr(tensor, "dims") or len(tensor.dims) != 1:
        raise MalformedError(f"its trees have no {name}")
    return int(tensor.dims[0])
