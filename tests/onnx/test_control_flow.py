"""If, Loop and Scan: written out where constants decide, counted with what they read outside, else refused by name."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from tests.helpers.onnx_files import FLOAT, INT64, ints, model, node, read, weight

BOOL = TensorProto.BOOL


def value(name: str, kind: int = FLOAT, *shape: int):
    return helper.make_tensor_value_info(name, kind, list(shape))


def scalar(name: str, kind: int, number: float):
    return helper.make_tensor(name, kind, [], [number])


def branch(weight_name: str, out: str):
    return helper.make_graph([node("MatMul", ["x", weight_name], out)], out, [], [value(out, FLOAT, 4, 8)])


def chosen(condition, **extra):
    """a = x k3; b = x k or x k2 by the condition; y = a + b."""
    nodes = [
        *extra.pop("before", []),
        node("MatMul", ["x", "k3"], "a"),
        node("If", ["c"], "b", then_branch=branch("k", "o1"), else_branch=branch("wide", "o2")),
        node("Add", ["a", "b"], "y"),
    ]
    weights = [weight("k", 16, 8), weight("wide", 16, 8), weight("k3", 16, 8), *condition]
    return model(nodes, {"x": [4, 16]}, weights=weights, opset=17)


@pytest.mark.parametrize("truth", [True, False])
def test_a_constant_condition_leaves_one_branch(truth):
    graph = read(chosen([scalar("c", BOOL, truth)]))
    assert graph.ops == ("Input", "MatMul", "MatMul", "Add")
    assert graph.macs.sum() == 2 * 4 * 16 * 8
    assert graph.params.sum() == 2 * 16 * 8
    assert sorted(zip(graph.src.tolist(), graph.dst.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 3), (2, 3)]


def test_a_condition_on_shapes_is_constant():
    before = [node("Shape", ["x"], "s"), node("Gather", ["s", "one"], "n"), node("Equal", ["n", "sixteen"], "c")]
    proto = chosen([scalar("one", INT64, 1), scalar("sixteen", INT64, 16)], before=before)
    assert read(proto).macs.sum() == 1024


def test_a_condition_on_data_is_refused_by_name():
    before = [node("ReduceMax", ["x"], "m", keepdims=0), node("Cast", ["m"], "c", to=BOOL)]
    with pytest.raises(BenchError, match=r"If runs another graph inside \('b'\), and data decide how"):
        read(chosen([], before=before))


def loop(trips, *, condition="t", stop=None, scan=False):
    """x times k, `trips` times, in a loop that reads k outside; with `scan` it keeps every step."""
    test = [node("Identity", ["go"], "go_on")] if stop is None else [node("Less", ["i", "stop"], "go_on")]
    body = helper.make_graph(
        [node("MatMul", ["s", "k"], "s_out"), *test, *([node("Relu", ["s_out"], "step")] if scan else [])],
        "body",
        [value("i", INT64), value("go", BOOL), value("s", FLOAT, 4, 16)],
        [value("go_on", BOOL), value("s_out", FLOAT, 4, 16), *([value("step", FLOAT, 4, 16)] if scan else [])],
    )
    outputs = ["y", "steps"] if scan else ["y"]
    nodes = [helper.make_node("Loop", [trips, condition, "x"], outputs, body=body)]
    constants = [scalar("m", INT64, 5), scalar("t", BOOL, True), weight("k", 16, 16), scalar("stop", INT64, 2)]
    return model(nodes, {"x": [4, 16]}, outputs=outputs, weights=constants, opset=17)


def test_a_constant_number_of_rounds_is_written_out():
    graph = read(loop("m"))
    assert graph.ops == ("Input", *["MatMul"] * 5)
    assert graph.macs.sum() == 5 * 4 * 16 * 16
    assert graph.params.sum() == 256  # one weight, read five times


def test_a_loop_ends_by_its_condition():
    assert read(loop("m", stop=2)).macs.sum() == 3 * 4 * 16 * 16
    assert read(loop("", stop=2)).macs.sum() == 3 * 4 * 16 * 16
    assert read(loop("m", condition="")).macs.sum() == 5 * 4 * 16 * 16


@pytest.mark.parametrize("opset", [11, 17])
def test_what_a_loop_keeps_of_each_round_is_stacked(opset):
    proto = loop("m", scan=True)
    proto.opset_import[0].version = opset
    graph = read(proto)
    assert graph.ops.count("Unsqueeze") == 5
    assert graph.out_shapes[graph.ops.index("Concat")] == ((5, 4, 16),)


def test_loops_that_hang_on_data_or_never_end_are_refused():
    proto = loop("rounds")
    proto.graph.input.append(value("rounds", INT64))
    with pytest.raises(BenchError, match=r"Loop runs another graph inside \('y'\)"):
        read(proto)
    with pytest.raises(BenchError, match="loops, written out, have over 200,000 nodes"):
        read(loop(""))


def test_a_scan_runs_once_an_entry():
    body = helper.make_graph(
        [node("MatMul", ["h", "k"], "m"), node("Add", ["m", "part"], "h_out"), node("Tanh", ["h_out"], "o")],
        "body",
        [value("h", FLOAT, 2, 8), value("part", FLOAT, 2, 8)],
        [value("h_out", FLOAT, 2, 8), value("o", FLOAT, 2, 8)],
    )
    scan = helper.make_node("Scan", ["start", "x"], ["last", "all"], body=body, num_scan_inputs=1)
    proto = model(
        [scan], {"x": [6, 2, 8], "start": [2, 8]}, outputs=["all", "last"], weights=[weight("k", 8, 8)], opset=17
    )
    graph = read(proto)
    assert graph.macs.sum() == 6 * 2 * 8 * 8
    assert graph.out_shapes[graph.ops.index("Concat")] == ((6, 2, 8),)


def test_graphs_inside_graphs():
    inner = helper.make_graph(
        [node("MatMul", ["h", "k"], "r")], "inner", [], [value("r", FLOAT, 4, 16)], initializer=[ints("unused", 1)]
    )
    body = helper.make_graph(
        [
            node("Relu", ["s"], "h"),
            node("If", ["t"], "s_out", then_branch=inner, else_branch=inner),
            node("Identity", ["go"], "go_on"),
        ],
        "body",
        [value("i", INT64), value("go", BOOL), value("s", FLOAT, 4, 16)],
        [value("go_on", BOOL), value("s_out", FLOAT, 4, 16)],
    )
    constants = [scalar("m", INT64, 3), scalar("t", BOOL, True), weight("k", 16, 16)]
    proto = model(
        [helper.make_node("Loop", ["m", "", "x"], ["y"], body=body)], {"x": [4, 16]}, weights=constants, opset=17
    )
    graph = read(proto)
    assert graph.ops == ("Input", *["Relu", "MatMul"] * 3)
    assert graph.macs.sum() == 3 * 4 * 16 * 16
