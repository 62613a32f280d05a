"""What an ONNX file holds beside its operations: weights, arithmetic on shapes, dead ends, functions; small models."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.helpers.onnx_files import ints, model, node, read, weight


def test_weights_from_constant_nodes_are_folded_and_counted():
    value = numpy_helper.from_array(np.ones((8,), dtype=np.float32))
    proto = model(
        [
            node("ConstantOfShape", ["shape"], "w"),
            node("Conv", ["x", "w"], "c"),
            node("Constant", [], "scale", value=value),
            node("Unsqueeze", ["scale", "axes"], "scale4"),
            node("Mul", ["c", "scale4"], "y"),
        ],
        {"x": [1, 3, 8, 8]},
        weights=[ints("shape", 8, 3, 3, 3), ints("axes", 1, 2)],
    )
    graph = read(proto)
    assert graph.ops == ("Input", "Conv", "Mul")
    assert graph.params.tolist() == [0, 8 * 27, 8]


def test_shape_arithmetic_is_folded_beyond_what_onnx_follows():
    """The target of the Reshape goes through Div, Floor and Where, which onnx's own inference does not follow."""
    proto = model(
        [
            node("Shape", ["x"], "shape"),
            node("Gather", ["shape", "one"], "c"),
            node("Div", ["c", "two"], "half"),
            node("Where", ["yes", "half", "c"], "chosen"),
            node("Concat", ["minus", "chosen"], "target", axis=0),
            node("Reshape", ["x", "target"], "y"),
        ],
        {"x": ["N", 6, 4]},
        weights=[
            ints("one", 1),
            ints("two", 2),
            ints("minus", -1),
            helper.make_tensor("yes", TensorProto.BOOL, [1], [True]),
        ],
    )
    graph = read(proto, batch_size=5)
    assert graph.ops == ("Input", "Reshape")
    assert graph.out_shapes[1] == ((40, 3),)


def test_a_shared_weight_is_counted_once_and_integers_are_no_weights():
    proto = model(
        [
            node("MatMul", ["x", "w"], "a"),
            node("MatMul", ["a", "w"], "b"),
            node("Reshape", ["b", "target"], "c"),
            node("Mul", ["c", "half"], "y"),
        ],
        {"x": [2, 5]},
        weights=[weight("w", 5, 5), ints("target", 10), weight("half")],
    )
    assert read(proto).params.tolist() == [0, 25, 0, 0, 0]


def test_dead_operations_are_dropped():
    proto = model([node("Relu", ["x"], "y"), node("Sigmoid", ["x"], "unused")], {"x": [1, 3]})
    assert read(proto).ops == ("Input", "Relu")


def test_removed_weights_are_inputs_that_stand_where_weights_do():
    proto = model([node("Conv", ["x", "w"], "y")], {"x": [1, 4, 8, 8], "w": [6, 4, 3, 3]})
    graph = read(proto)
    assert graph.ops == ("Input", "Conv")
    assert graph.params.sum() == 6 * 4 * 9


def test_local_functions_are_inlined():
    function = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [node("Relu", ["a"], "m"), node("Relu", ["m"], "b")],
        [helper.make_opsetid("", 13)],
    )
    proto = model([helper.make_node("Twice", ["x"], ["y"], domain="local")], {"x": [1, 3]})
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    assert read(proto).ops == ("Input", "Relu", "Relu")
