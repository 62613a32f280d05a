"""What hostile and large files cost: memory in proportion to their structure, whatever threads are about."""

from __future__ import annotations

import resource
import threading
import tracemalloc

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from pipeline.core.errors import BenchError
from pipeline.onnx import wire
from pipeline.onnx.graph import read_graph
from tests.helpers.onnx_files import INT64, ints, light, model, node, read, weight


def heavy() -> onnx.ModelProto:
    """A large weight, a large constant, and a large weight inside a function and a branch each."""
    big = numpy_helper.from_array(np.ones((300, 300), np.float32), "w")
    inner = [helper.make_node("Constant", [], ["c"], value=big), node("MatMul", ["a", "c"], "b")]
    function = helper.make_function("local", "F", ["a"], ["b"], inner, [helper.make_opsetid("", 17)])
    branch = helper.make_graph(inner, "b", [], [helper.make_tensor_value_info("b", 1, None)])
    nodes = [
        node("MatMul", ["x", "w"], "h"),
        helper.make_node("F", ["h"], ["a"], domain="local"),
        node("If", ["t"], "y", then_branch=branch, else_branch=branch),
    ]
    truth = helper.make_tensor("t", onnx.TensorProto.BOOL, [], [True])
    proto = model(nodes, {"x": [1, 300]}, weights=[big, truth, ints("small", 1, 2)], opset=17)
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def test_large_values_are_left_out_before_protobuf_sees_them():
    content = heavy().SerializeToString()
    left = wire.without_values(content)
    assert len(content) > 2**20 > 2**12 > len(left)
    kept = onnx.ModelProto.FromString(left)
    assert [tuple(t.dims) for t in kept.graph.initializer] == [(300, 300), (), (2,)]
    assert numpy_helper.to_array(kept.graph.initializer[2]).tolist() == [1, 2]
    assert read_graph(content).macs.sum() == 3 * 300 * 300


def test_a_small_file_is_kept_as_it_is():
    content = light("squeezenet").read_bytes()
    assert len(content) < wire.LARGE and wire.without_values(content) is content


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 400_000))
def test_damaged_large_files_are_read_or_refused(piece, place):
    content = bytearray(heavy().SerializeToString())
    content[place : place + len(piece)] = piece
    try:
        read_graph(bytes(content), "a.onnx")
    except BenchError as error:
        assert str(error).startswith("a.onnx: ")


def test_more_structure_than_a_network_has_is_refused():
    """Two bytes a node in the file, hundreds in memory."""
    nodes = b"\x0a\x00" * (2**24)
    size = len(nodes)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    tracemalloc.start()
    with pytest.raises(BenchError, match="beside its weights"):
        read_graph(b"\x3a" + length + nodes, "a.onnx")
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def doubled(times: int) -> onnx.ModelProto:
    """A shape that is put behind itself again and again."""
    nodes = [node("Shape", ["x"], "s0")]
    nodes += [node("Concat", [f"s{i}", f"s{i}"], f"s{i + 1}", axis=0) for i in range(times)]
    return model([*nodes, node("Reshape", ["x", f"s{times}"], "y")], {"x": [1, 1]})


def laughs(times: int) -> onnx.ModelProto:
    """Functions that call the one before twice."""
    proto = model([helper.make_node(f"F{times}", ["x"], ["y"], domain="local")], {"x": [1, 3]})
    proto.opset_import.append(helper.make_opsetid("local", 1))
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("local", 1)]
    for i in range(times + 1):
        op, domain = ("Relu", "") if i == 0 else (f"F{i - 1}", "local")
        calls = [helper.make_node(op, [a], [b], domain=domain) for a, b in (("a", "m"), ("m", "b"))]
        proto.functions.append(helper.make_function("local", f"F{i}", ["a"], ["b"], calls, imports))
    return proto


def ranks(times: int) -> onnx.ModelProto:
    """Indices of indices: each has nearly twice the dimensions of the one before."""
    nodes = [node("Gather", [f"i{n}", f"i{n}"], f"i{n + 1}") for n in range(times)]
    proto = model([*nodes, node("Identity", [f"i{times}"], "y")], {"i0": [1, 1, 1]}, kind=INT64)
    return proto


@pytest.mark.parametrize(
    ("proto", "says"),
    [
        (doubled(40), "shape|numbers"),
        (laughs(40), "nodes, over the limit of 200,000"),
        (ranks(30), "absurd number of .* dimensions"),
        (model([node("Split", ["x"], ["y", "z"], num_outputs=2**40)], {"x": [4]}, opset=18), "states .* outputs"),
        (model([node("ConstantOfShape", ["n"], "y")], {"n": [2**30]}, kind=INT64), "setting of 1,073,741,824 numbers"),
    ],
    ids=["shape doubled", "functions doubled", "dimensions doubled", "outputs", "dimensions from data"],
)
def test_what_grows_without_measure_is_refused(proto, says):
    with pytest.raises(BenchError, match=says):
        read(proto)


def test_reading_leaves_the_limits_of_the_process_alone_and_threads_in_peace():
    before = resource.getrlimit(resource.RLIMIT_AS)
    seen, wrong = [], []

    def work() -> None:
        try:
            for _ in range(3):
                seen.append(read_graph(light("squeezenet")).macs.sum())
                assert resource.getrlimit(resource.RLIMIT_AS) == before
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) == 12 and len(set(seen)) == 1
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def outside(folder, name: str = "weights.bin", at: int = 4) -> onnx.ModelProto:
    """A product whose weight, and a Reshape whose target, lie in a file of `folder`."""
    target, matrix = np.array([2, 6], np.int64), np.ones((6, 5), np.float32)
    (folder / name).write_bytes(b"\0" * at + target.tobytes() + matrix.tobytes())
    tensors = []
    for key, value, offset in (("t", target, at), ("w", matrix, at + 16)):
        tensor = weight(key, *value.shape, kind=helper.np_dtype_to_tensor_dtype(value.dtype))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for entry in (("location", name), ("offset", str(offset)), ("length", str(value.nbytes))):
            tensor.external_data.add(key=entry[0], value=entry[1])
        tensors.append(tensor)
    return model([node("Reshape", ["x", "t"], "r"), node("MatMul", ["r", "w"], "y")], {"x": [3, 4]}, weights=tensors)


def test_values_in_other_files_are_found_from_any_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    onnx.save(outside(home), home / "m.onnx")
    for folder, path in ((tmp_path, "home/m.onnx"), (home, "m.onnx"), ("/", home / "m.onnx")):
        monkeypatch.chdir(folder)
        graph = read_graph(path)
        assert graph.macs.sum() == 2 * 6 * 5
        assert graph.params.sum() == 30


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/hostname", "", "none.bin"])
def test_values_outside_the_folder_are_refused(tmp_path, place):
    home = tmp_path / "home"
    home.mkdir()
    proto = outside(tmp_path)
    for tensor in proto.graph.initializer:
        tensor.external_data[0].value = place
    onnx.save(proto, home / "m.onnx")
    with pytest.raises(BenchError, match=r"weight 't' lies in .*, no file of its folder"):
        read_graph(home / "m.onnx")


def test_a_file_of_values_that_is_too_short_is_refused(tmp_path):
    onnx.save(outside(tmp_path), tmp_path / "m.onnx")
    (tmp_path / "weights.bin").write_bytes(b"\0" * 8)
    with pytest.raises(BenchError, match="the file is too short"):
        read_graph(tmp_path / "m.onnx")
