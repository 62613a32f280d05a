"""Malformed ONNX files: each is refused in one line that names it, and memory stays bounded."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_files import INT64, conv_model, ints, light, model, node, weight

X = {"x": [1, 3, 8, 8]}
RELU = node("Relu", ["x"], "y")


def custom_domain() -> onnx.ModelProto:
    proto = model([helper.make_node("Fused", ["x"], ["y"], domain="com.example")], X)
    proto.opset_import.append(helper.make_opsetid("com.example", 1))
    return proto


def no_opset() -> onnx.ModelProto:
    proto = model([RELU], X)
    del proto.opset_import[:]
    return proto


def recursive_function() -> onnx.ModelProto:
    call = helper.make_node("F", ["a"], ["b"], domain="local")
    function = helper.make_function("local", "F", ["a"], ["b"], [call], [helper.make_opsetid("local", 1)])
    proto = model([helper.make_node("F", ["x"], ["y"], domain="local")], X)
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def control_flow() -> onnx.ModelProto:
    branch = helper.make_graph(
        [node("Relu", ["x"], "z")], "b", [], [helper.make_tensor_value_info("z", 1, [1, 3, 8, 8])]
    )
    test = [node("ReduceMax", ["x"], "m", keepdims=0), node("Cast", ["m"], "c", to=TensorProto.BOOL)]
    return model([*test, node("If", ["c"], "y", then_branch=branch, else_branch=branch)], X)


def nested_branches(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph, and so on: deeper than protobuf goes."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size >= 128:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))  # GraphProto.node, NodeProto.attribute, AttributeProto.g
    return field(7, graph)


def sequence_input() -> onnx.ModelProto:
    proto = model([node("ConcatFromSequence", ["x"], "y", axis=0)], X)
    proto.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", 1, [1, 3]))
    return proto


def absurd(*dims: int) -> onnx.TensorProto:
    return weight("w", *dims)


def linear(*weights: onnx.TensorProto, op: str = "MatMul") -> onnx.ModelProto:
    return model([node(op, ["x", "w"], "y")], {"x": [1, 10]}, weights=weights)


def stretched(count: int) -> onnx.ModelProto:
    """A constant of `count` elements, added to the input."""
    return model(
        [node("ConstantOfShape", ["n"], "c"), node("Add", ["x", "c"], "y")], {"x": [1]}, weights=[ints("n", count)]
    )


def ranged() -> onnx.ModelProto:
    bounds = [helper.make_tensor(name, INT64, [], [value]) for name, value in (("a", 0), ("b", 2**60), ("c", 1))]
    nodes = [node("Range", ["a", "b", "c"], "r"), node("Expand", ["x", "r"], "y")]
    return model(nodes, {"x": [1]}, weights=bounds)


def long_slice() -> onnx.ModelProto:
    """onnx's inference takes memory in proportion to the stated number of starts, a thousand million."""
    proto = model([node("Slice", ["x", "n", "n", "n"], "y")], {"x": [1, 3], "n": [2**30]})
    proto.graph.input[1].type.tensor_type.elem_type = INT64
    return proto


BAD: dict[str, tuple[Callable[[], onnx.ModelProto | bytes], str]] = {
    "empty": (lambda: b"", "not an ONNX file"),
    "text": (lambda: b"a plain text, which no protobuf is " * 20, "truncated or not an ONNX file"),
    "truncated": (lambda: light("squeezenet").read_bytes()[:9000], "truncated or not an ONNX file"),
    "no nodes": (lambda: model([], X), "without operations"),
    "custom domain": (custom_domain, "custom domain 'com.example'"),
    "cycle": (
        lambda: model([node("Add", ["x", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "y")], X),
        "cycle through Add",
    ),
    "loose end": (lambda: model([node("Add", ["x", "z"], "y")], X), "reads tensor 'z', which nothing makes"),
    "made twice": (lambda: model([RELU, RELU], X), "'y' is made twice"),
    "no such output": (lambda: model([RELU], X, outputs=["q"]), "nothing makes the output 'q'"),
    "integer weight": (
        lambda: model([node("Conv", ["x", "w"], "y")], X, weights=[weight("w", 6, 3, 3, 3, kind=INT64)]),
        "unsupported type",
    ),
    "mixed types": (
        lambda: model([node("Add", ["x", "w"], "y")], X, weights=[weight("w", 1, kind=TensorProto.DOUBLE)]),
        "onnx finds a contradiction",
    ),
    "absurd input": (lambda: model([RELU], {"x": [1, 2**62, 2**62]}), "absurd dimension"),
    "negative input": (lambda: model([RELU], {"x": [1, -5]}), "absurd dimension -5"),
    "absurd weight": (lambda: linear(absurd(10, 2**60)), "absurd shape"),
    "negative weight": (lambda: linear(absurd(10, -2)), "absurd shape"),
    "absurd constant": (lambda: stretched(2**50), "absurd shape"),
    "absurd range": (ranged, "setting of 1,152,921,504,606,846,976 numbers"),
    "memory bomb": (long_slice, "Slice .* has a setting of 1,073,741,824 numbers"),
    "kernel larger than input": (
        lambda: model([node("Conv", ["x", "w"], "y")], X, weights=[weight("w", 6, 3, 11, 11)]),
        "absurd shape",
    ),
    "channels": (
        lambda: model([node("Conv", ["x", "w"], "y")], X, weights=[weight("w", 6, 4, 3, 3)]),
        r"weight \[6, 4, 3, 3\] in 1 groups does not fit",
    ),
    "zero stride": (lambda: conv_model(strides=[0, 0]), "strides"),
    "overflowing pads": (lambda: conv_model(pads=[2**62] * 4), "overflow"),
    "elements": (
        lambda: model([node("Reshape", ["x", "s"], "y")], X, weights=[ints("s", 7, 5)]),
        "different numbers of elements",
    ),
    "matrix sizes": (lambda: linear(absurd(11, 3)), "Incompatible dimensions"),
    "gemm sizes": (lambda: linear(absurd(11, 3), op="Gemm"), "onnx finds a contradiction"),
    "open dimension": (lambda: model([RELU], {"x": [1, 3, "height", "width"]}), r"--dim height=SIZE"),
    "opset of the future": (lambda: model([RELU], X, opset=999), "opset 999"),
    "no opset": (no_opset, "states no opset"),
    "unknown operation": (lambda: model([node("Fancy", ["x"], "y")], X), "shape of tensor 'y' .* is unknown"),
    "data-dependent shape": (
        lambda: model([node("NonZero", ["x"], "n"), node("Cast", ["n"], "y", to=1)], X),
        r"shape of tensor 'n' \(made by NonZero\) is \[4, \?\]",
    ),
    "condition of nothing": (
        lambda: model([node("If", [], "y")], X),
        r"If \('y'\) has inputs or attributes that do not",
    ),
    "loop of nothing": (lambda: model([node("Loop", ["", "", "x"], "y")], X), "Loop .* has inputs or attributes"),
    "shape of nothing": (
        lambda: model([node("Shape", [], "s"), node("Reshape", ["x", "s"], "y")], X),
        "Shape .* has inputs or attributes",
    ),
    "sequence inside": (
        lambda: model([node("SequenceConstruct", ["x"], "s"), node("ConcatFromSequence", ["s"], "y", axis=0)], X),
        "SequenceConstruct makes 's', a sequence and no tensor",
    ),
    "control flow": (control_flow, "If runs another graph inside"),
    "deep nesting": (lambda: nested_branches(60), "truncated or not an ONNX file"),
    "recursive function": (recursive_function, "in a cycle"),
    "sequence": (sequence_input, "not a tensor"),
    "only constants": (lambda: model([node("Relu", ["w"], "y")], {}, weights=[weight("w", 3)]), "no output depends"),
}


def content(make: Callable[[], onnx.ModelProto | bytes]) -> bytes:
    made = make()
    return made if isinstance(made, bytes) else made.SerializeToString()


@pytest.mark.hostile("ONNX files")
@pytest.mark.parametrize("name", BAD)
def test_refused_in_one_line(name):
    make, message = BAD[name]
    with pytest.raises(BenchError, match=message) as refused:
        read_graph(content(make), "a.onnx")
    assert str(refused.value).startswith("a.onnx: ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_batch_and_dims_do_not_hide_an_error():
    with pytest.raises(BenchError, match="opset 999"):
        read_graph(content(BAD["opset of the future"][0]), "a.onnx", batch_size=4, dims={"x": 1})


@pytest.mark.hostile("ONNX files")
def test_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BenchError, match="not a regular file"):
            read_graph(path)
    with pytest.raises(BenchError, match="no such file"):
        read_graph(tmp_path / "none.onnx")


@pytest.mark.hostile("ONNX files")
def test_too_large_is_refused_before_reading(tmp_path):
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(BenchError, match="17,179,869,184 bytes, over the limit of 1,073,741,824"):
        read_graph(tmp_path / "huge.onnx")


@pytest.mark.hostile("ONNX files")
def test_every_bad_file_from_the_command_line_in_bounded_memory(tmp_path):
    """One process reads them all within 2 GiB of address space: one line each, exit status 1, no traceback."""
    paths = []
    for number, (make, _) in enumerate(BAD.values()):
        paths.append(tmp_path / f"{number}.onnx")
        paths[-1].write_bytes(content(make))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.onnx", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert done.stdout == ""
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [str(path) for path in paths]
    assert len(paths) >= 20


@pytest.mark.hostile("ONNX files")
@pytest.mark.parametrize("name", ["squeezenet", "inception_v1"])
def test_damaged_bytes_are_read_or_refused_never_crash(name):
    """Each of 300 copies has some bytes changed or a piece cut out."""
    import random

    original = light(name).read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(original)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.3:
            start = rng.randrange(len(damaged))
            del damaged[start : start + rng.randrange(200)]
        try:
            graph = read_graph(bytes(damaged), "a.onnx")
        except BenchError as error:
            assert "\n" not in str(error)
        else:
            assert len(graph.ops) == len(graph.out_shapes)
