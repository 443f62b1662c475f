"""The operators that a bundle's graph may use, each with its attributes: those that Fathom's networks, simpler models and quantisation write, and no other.

None of them holds a graph, reads a file, or repeats itself; saving holds every graph against the table, and ``tests/contracts`` export every network and baseline.
Source of names and attributes: https://onnx.ai/onnx/operators/.
"""

DOMAINS = {"": range(13, 27), "ai.onnx.ml": range(1, 6)}  # with the versions of their operator sets
TREES = "TreeEnsemble"

_REDUCE = ("keepdims", "noop_with_empty_axes")
_WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_REPEATED = ("activations", "direction", "hidden_size", "layout")

OPERATORS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", name): attributes
    for name, attributes in {
        **dict.fromkeys(("Abs", "Add", "And", "Ceil", "Clip", "Cos", "Div", "Equal", "Erf", "Exp", "Floor"), ()),
        **dict.fromkeys(("Greater", "GreaterOrEqual", "Identity", "IsNaN", "Less", "LessOrEqual", "Log", "MatMul"), ()),
        **dict.fromkeys(("Max", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round"), ()),
        **dict.fromkeys(
            ("Sigmoid", "Sign", "Sin", "Slice", "Softplus", "Sqrt", "Sub", "Sum", "Tanh", "Where", "Xor"), ()
        ),
        **dict.fromkeys(("Squeeze", "Unsqueeze", "Expand", "GlobalAveragePool", "MatMulInteger"), ()),
        **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare"), _REDUCE),
        **dict.fromkeys(("Concat", "Gather", "GatherElements", "Softmax", "LogSoftmax"), ("axis",)),
        "ArgMax": ("axis", "keepdims", "select_last_index"),
        "AveragePool": (*_WINDOW, "ceil_mode", "count_include_pad"),
        "BatchNormalization": ("epsilon", "momentum", "training_mode"),
        "Cast": ("to", "saturate"),
        "Conv": (*_WINDOW, "group"),
        "ConvInteger": (*_WINDOW, "group"),
        "CumSum": ("exclusive", "reverse"),
        "DequantizeLinear": ("axis", "block_size"),
        "DynamicQuantizeLinear": (),
        "Elu": ("alpha",),
        "Flatten": ("axis",),
        "GRU": (*_REPEATED, "linear_before_reset"),
        "Gelu": ("approximate",),
        "Gemm": ("alpha", "beta", "transA", "transB"),
        "LSTM": (*_REPEATED, "input_forget"),
        "LayerNormalization": ("axis", "epsilon", "stash_type"),
        "LeakyRelu": ("alpha",),
        "MaxPool": (*_WINDOW, "ceil_mode", "storage_order"),
        "Pad": ("mode",),
        "QuantizeLinear": ("axis", "block_size", "output_dtype", "saturate"),
        "RNN": _REPEATED,
        "Resize": (
            "antialias",
            "axes",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ),
        "Reshape": ("allowzero",),
        "Shape": ("start", "end"),
        "Split": ("axis", "num_outputs"),
        "TopK": ("axis", "largest", "sorted"),
        "Transpose": ("perm",),
    }.items()
} | {
    ("ai.onnx.ml", TREES): (
        "aggregate_function",
        "leaf_targetids",
        "leaf_weights",
        "membership_values",
        "n_targets",
        "nodes_falseleafs",
        "nodes_falsenodeids",
        "nodes_featureids",
        "nodes_hitrates",
        "nodes_missing_value_tracks_true",
        "nodes_modes",
        "nodes_splits",
        "nodes_trueleafs",
        "nodes_truenodeids",
        "post_transform",
        "tree_roots",
    ),
}
# What makes a tensor as large as numbers in the graph say: those numbers are looked at.
SIZED = {"Expand": (1,), "Pad": (1,), "Resize": (2, 3)}
# Of constants: what is as large as its first input and of its shape, what is no larger, and what broadcasts.
ALIKE = (
    "Abs", "Cast", "Ceil", "Clip", "Cos", "CumSum", "DequantizeLinear", "Erf", "Exp", "Floor", "Identity", "Log", "Neg", "Not", "QuantizeLinear", "Reciprocal", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Tanh",
)  # fmt: skip
NO_LARGER = ("Flatten", "Pad", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
BROADCAST = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mul", "Or", "Pow", "Sub", "Where", "Xor",
)  # fmt: skip
# Whole-number attributes that no kernel survives at zero, and the most that any needs.
POSITIVE = ("dilations", "kernel_shape", "strides", "group", "hidden_size", "num_outputs")
MOST_ATTRIBUTE = 1 << 16
# The kinds of numbers that tensors hold, by their code in ONNX, with the bytes of one.
KINDS = {1: 4, 2: 1, 3: 1, 5: 2, 4: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8}
