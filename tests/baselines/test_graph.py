import numpy as np
import onnx
import onnxruntime
import pytest

from fathom.baselines import constant
from fathom.baselines.contract import Fitted
from fathom.baselines.graph import onnx_model

PRICE = Fitted("constant", 0, {"answer": np.array([0.5])})
KIND = Fitted("constant", 2, {"answer": np.array([0.25, 0.75])})


def fragment(fitted, answer):
    return constant.nodes(fitted, "features", answer), answer, fitted.classes


def test_several_targets_are_answered_by_one_model_in_their_order():
    model = onnx_model([fragment(PRICE, "price"), fragment(KIND, "kind")], feature_count=3)
    session = onnxruntime.InferenceSession(model)
    price, kind = session.run(None, {"features": np.zeros((2, 3))})
    assert [output.name for output in session.get_outputs()] == ["price", "kind"]
    assert price.tolist() == [0.5, 0.5]
    assert kind.tolist() == [[0.25, 0.75]] * 2


def test_no_rows_are_answered_with_no_answers():
    session = onnxruntime.InferenceSession(onnx_model([fragment(KIND, "kind")], feature_count=1))
    assert session.run(None, {"features": np.zeros((0, 1))})[0].shape == (0, 2)


def test_the_input_and_the_versions_are_written_in_the_model():
    model = onnx.load_from_string(onnx_model([fragment(PRICE, "price")], feature_count=3))
    (features,) = model.graph.input
    assert features.name == "features"
    assert features.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    assert features.type.tensor_type.shape.dim[1].dim_value == 3
    assert {operators.domain: operators.version for operators in model.opset_import} == {"": 20, "ai.onnx.ml": 5}
    assert model.ir_version == 10


def test_the_same_fragments_make_the_same_bytes():
    assert onnx_model([fragment(PRICE, "price")], 3) == onnx_model([fragment(PRICE, "price")], 3)


@pytest.mark.parametrize("answers", [["price", "price"], ["features"]])
def test_two_answers_of_one_name_are_our_own_mistake(answers):
    with pytest.raises(AssertionError) as caught:
        onnx_model([fragment(PRICE, answer) for answer in answers], 3)
    assert str(caught.value) == f"Each fragment needs a name of its own, other than 'features', not {answers}."
