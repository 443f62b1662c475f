import numpy as np
import onnxruntime
import pytest

from fathom.baselines import tree_arrays
from fathom.baselines.graph import Drawing, onnx_model
from fathom.baselines.tree_arrays import Tree, answers, assemble, scores


def tree(target, feature, threshold, missing, of, yes, no, sets, leaf):
    return Tree(
        target,
        np.array(feature),
        np.array(threshold, dtype=float),
        np.array(missing, dtype=bool),
        np.array(of),
        np.array(yes),
        np.array(no),
        [np.array(members, dtype=float) for members in sets],
        np.array(leaf, dtype=float),
    )


def leaf(target, value):
    return tree(target, [], [], [], [], [], [], [], [value])


# "Is column 0 at most 0.5 (or not known)? Then 10. Otherwise, is column 1 one of 1, 3? Then 20, otherwise 30."
FIRST = tree(0, [0, 1], [0.5, -np.inf], [True, False], [-1, 0], [-1, -2], [1, -3], [[1, 3]], [10, 20, 30])
SECOND = tree(0, [0], [-2.0], [False], [-1], [-1], [-2], [], [0.25, 0.5])
ROWS = np.array(
    [[0.5, 1], [np.nextafter(0.5, 1), 1], [1, 2], [9, 3], [np.nan, 3], [1, np.nan], [1, -1], [-2, 0], [-np.inf, 0]]
)
ANSWERS = [10.5, 20.5, 30.5, 20.5, 10.5, 30.5, 30.5, 10.25, 10.25]


def run_onnx(arrays, rows):
    drawing = Drawing("answer")
    drawing.node("Identity", tree_arrays.score_nodes(drawing, arrays, "features"), output="answer")
    model = onnx_model([(drawing.fragment(), "answer", len(arrays["base"]))], rows.shape[1])
    return onnxruntime.InferenceSession(model).run(None, {"features": rows})[0]


def test_rows_go_down_thresholds_sets_and_gaps():
    arrays = assemble([FIRST, SECOND], np.zeros(1))
    assert answers(arrays, 0, ROWS).tolist() == ANSWERS
    assert run_onnx(arrays, ROWS)[:, 0].tolist() == ANSWERS


def test_rows_are_walked_in_blocks(monkeypatch):
    monkeypatch.setattr(tree_arrays, "MOST_AT_ONCE", 3)
    assert answers(assemble([FIRST, SECOND], np.zeros(1)), 0, ROWS).tolist() == ANSWERS


def test_a_tree_of_one_leaf_is_added_to_the_base():
    arrays = assemble([leaf(1, 5.0), leaf(1, 2.0)], np.array([1.0, 0.0]))
    assert len(arrays["tree.root"]) == 0
    assert scores(arrays, ROWS).tolist() == run_onnx(arrays, ROWS).tolist() == [[1.0, 7.0]] * len(ROWS)


def test_each_tree_adds_to_its_target_in_whatever_order_they_come():
    third = tree(2, [0], [0.0], [False], [-1], [-1], [-2], [], [-1.0, 1.0])
    trees = [third, FIRST, leaf(2, 0.5), SECOND, third]
    arrays = assemble(trees, np.array([0.0, 7.0, 0.0]))
    expected = [
        [sum_, 7.0, sign * 2 + 0.5] for sum_, sign in zip(ANSWERS, np.where(ROWS[:, 0] <= 0, -1, 1), strict=True)
    ]
    assert scores(arrays, ROWS).tolist() == expected
    assert run_onnx(arrays, ROWS).tolist() == expected


def test_sets_of_many_large_codes_are_told_apart():
    draw = np.random.default_rng(0)
    sets = [np.sort(draw.choice(5_000, 40, replace=False)) for _ in range(20)]
    trees = [
        tree(0, [0], [-np.inf], [False], [0], [-1], [-2], [members], [2.0**number, 0])
        for number, members in enumerate(sets)
    ]
    arrays = assemble(trees, np.zeros(1))
    codes = np.r_[np.arange(0, 5_001, 7), sets[3]].astype(float)[:, None]
    expected = sum(np.isin(codes[:, 0], members) * 2.0**number for number, members in enumerate(sets))
    assert answers(arrays, 0, codes).tolist() == expected.tolist()
    assert run_onnx(arrays, codes)[:, 0].tolist() == expected.tolist()


def test_no_rows_have_no_scores():
    assert scores(assemble([FIRST], np.zeros(1)), ROWS[:0]).shape == (0, 1)


@pytest.mark.parametrize("trees", [[FIRST], []])
def test_probabilities_follow_from_scores_by_softmax(trees):
    probabilities = answers(assemble(trees, np.array([0.0, np.log(3.0)])), 2, ROWS[:1])
    top = 10.0 if trees else 0.0
    assert probabilities[0, 1] == pytest.approx(3 / (3 + np.exp(top)))
