"""Values of constants against onnx's own test cases of each operation; shape arithmetic at the opsets that write it."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import numpy as np
import onnx.backend.test.case.node as node_cases
import pytest
from onnx import TensorProto, helper

from pipeline.onnx.control_flow import settings_of
from pipeline.onnx.evaluate import MAX_VALUES, OPERATIONS, evaluated
from tests.helpers.onnx_files import FLOAT, INT64, ints, model, node, read, weight


def cases():
    """onnx's test cases of the operations that are evaluated."""
    wanted = {op.lower() for op in OPERATIONS} | {"rangeop"}
    wanted -= {"cast", "castlike", "identity"}  # whose modules take seconds to import
    for module in pkgutil.iter_modules(node_cases.__path__):
        if module.name.replace("_", "") in wanted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(f"{node_cases.__name__}.{module.name}")
    return [case for case in node_cases._NodeTestCases if len(case.model.graph.node) == 1]


def test_against_onnx_s_own_cases():
    answered = set()
    for case in cases():
        (proto,) = case.model.graph.node
        (inputs, outputs), *_ = case.data_sets
        if proto.op_type not in OPERATIONS or not all(
            isinstance(value, np.ndarray | np.generic) for value in (*inputs, *outputs)
        ):
            continue
        given = dict(zip([value.name for value in case.model.graph.input], map(np.asarray, inputs), strict=True))
        found = evaluated(proto.op_type, [given.get(n) for n in proto.input], settings_of(proto), len(proto.output))
        if found is None:
            continue
        answered.add(proto.op_type)
        for value, true in zip(found, outputs, strict=True):
            assert (value.shape, value.dtype) == (true.shape, true.dtype), case.name
            np.testing.assert_allclose(value, true, rtol=1e-5, err_msg=case.name)
    unanswered = OPERATIONS - answered - {"Cast", "CastLike", "Identity", "ConstantOfShape"}
    assert not unanswered


@pytest.mark.parametrize(
    ("op", "inputs", "settings"),
    [
        ("ConstantOfShape", [[2**20, 2**20]], {}),
        ("Expand", [[1.0], [2**40]], {}),
        ("Tile", [[1.0], [2**40]], {}),
        ("Range", [0, 2**60, 1], {}),
        ("Range", [0, 5, 0], {}),
        ("Div", [[1], [0]], {}),
        ("Add", [np.ones((3000, 1)), np.ones((1, 3000))], {}),
        ("Reshape", [[1, 2, 3], [2, 2]], {}),
        ("Add", [[1.0], [2.0]], {"broadcast": 1}),
        ("Sigmoid", [[1.0]], {}),
    ],
)
def test_what_can_t_be_said_is_none(op, inputs, settings):
    assert evaluated(op, [np.array(value) for value in inputs], settings, 1) is None


def test_integers_are_divided_as_in_c():
    (found,) = evaluated("Div", [np.array([-7, 7, -7]), np.array([2, -2, -2])], {}, 1)
    assert found.tolist() == [-3, -3, 3]
    assert MAX_VALUES >= 2048


def view(opset: int):
    """What exporters of torch 1.x make of x.view(x.size(0), -1) before a linear layer."""
    axes = {"axes": [0]} if opset < 13 else {}
    extra = [] if opset < 13 else ["zero"]
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "first"], "n", axis=0),
        node("Unsqueeze", ["n", *extra], "n1", **axes),
        node("Concat", ["n1", "rest"], "target", axis=0),
        node("Reshape", ["x", "target"], "flat"),
        node("MatMul", ["flat", "w"], "y"),
    ]
    scalar = helper.make_tensor("first", INT64, [], [0])
    return model(
        nodes,
        {"x": ["N", 4, 5, 5]},
        weights=[scalar, ints("rest", -1), ints("zero", 0), weight("w", 100, 10)],
        opset=opset,
    )


@pytest.mark.parametrize("opset", [7, 9, 11, 12, 13, 17])
def test_view_at_any_opset(opset):
    assert read(view(opset)).macs.sum() == 1000
    four = read(view(opset), batch_size=4)
    assert four.macs.sum() == 4000
    assert four.out_shapes[1] == ((4, 100),)


def test_resize_by_sizes_that_are_computed():
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Slice", ["shape", "two", "four", "zero"], "hw"),
        node("Cast", ["hw"], "f", to=TensorProto.FLOAT),
        node("Mul", ["f", "factor"], "m"),
        node("Floor", ["m"], "fl"),
        node("Cast", ["fl"], "i", to=INT64),
        node("Slice", ["shape", "zero", "two", "zero"], "nc"),
        node("Concat", ["nc", "i"], "sizes", axis=0),
        node("Resize", ["x", "roi", "none", "sizes"], "r", mode="nearest"),
        node("Conv", ["r", "w"], "y"),
    ]
    constants = [ints("two", 2), ints("four", 4), ints("zero", 0), helper.make_tensor("factor", FLOAT, [1], [2.0])]
    empty = [helper.make_tensor(name, FLOAT, [0], []) for name in ("roi", "none")]
    proto = model(nodes, {"x": ["N", 3, 8, 8]}, weights=[*constants, *empty, weight("w", 4, 3, 1, 1)], opset=11)
    graph = read(proto)
    assert graph.ops == ("Input", "Resize", "Conv")
    assert graph.macs.sum() == 16 * 16 * 12
    assert graph.params.sum() == 12


def test_gather_elements_of_constants_shorter_along_the_other_axes():
    """Token types of BERT exports: a buffer of 512 gathered at 32 positions, then an embedding."""
    nodes = [
        node("GatherElements", ["buffer", "positions"], "types", axis=1),
        node("Gather", ["table", "types"], "e"),
        node("Gather", ["words", "x"], "v"),
        node("Add", ["v", "e"], "y"),
    ]
    buffer = helper.make_tensor("buffer", INT64, [1, 512], [0] * 512)
    positions = helper.make_tensor("positions", INT64, [1, 32], range(32))
    proto = model(
        nodes,
        {"x": ["b", 32]},
        weights=[buffer, positions, weight("table", 2, 16), weight("words", 100, 16)],
        kind=INT64,
    )
    graph = read(proto)
    assert graph.ops == ("Input", "Gather", "Add")
    assert graph.params.sum() == 32 + 1600


def test_sums_of_constants_that_broadcast():
    """onnx's own propagation of data takes Add of [12, 1] and [9] for a contradiction."""
    nodes = [
        node("Div", ["a", "s"], "d"),
        node("Unsqueeze", ["d", "last"], "u"),
        node("Div", ["b", "s"], "e"),
        node("Add", ["u", "e"], "t"),
        node("Unsqueeze", ["t", "axes"], "k"),
        node("Conv", ["x", "k"], "y", strides=[1, 5]),
    ]
    constants = [
        helper.make_tensor("a", FLOAT, [12], range(12)),
        helper.make_tensor("b", FLOAT, [9], range(9)),
        helper.make_tensor("s", FLOAT, [], [12.0]),
    ]
    graph = read(
        model(nodes, {"x": [1, 1, 1, 60]}, weights=[*constants, ints("last", -1), ints("axes", 1, 2)], opset=17)
    )
    assert graph.macs.sum() == 11 * 12 * 9
    assert graph.params.sum() == 12 + 9


def test_clip_has_its_bounds_as_inputs_or_as_attributes():
    """Padding of networks that came from TensorFlow is worked out with it."""
    (lower,) = evaluated("Clip", [np.array([-1, 5]), np.array(0), None], {}, 1)
    (both,) = evaluated("Clip", [np.array([-1.0, 5.0])], {"min": 0.0, "max": 3.0}, 1)
    assert lower.tolist() == [0, 5] and lower.dtype == np.int64 and both.tolist() == [0.0, 3.0]
