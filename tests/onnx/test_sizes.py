"""Sizes that a file leaves open: given by name or by input and axis, contradicted, assumed or missing."""

from __future__ import annotations

import argparse

import pytest
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError
from pipeline.onnx import sizes
from tests.helpers.onnx_files import INT64, model, node, read, weight


def conv(*shape: int | str):
    return model([node("Conv", ["x", "w"], "y")], {"x": list(shape)}, weights=[weight("w", 4, 3, 3, 3)])


def nameless():
    proto = conv(1, 3, 8, 8)
    for dim in proto.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.Clear()
    return proto


def test_dimensions_without_a_name():
    with pytest.raises(
        BenchError, match=r"dimension 2 of input 'x' is open \(without a name\).*--dim x:2=SIZE --dim x:3"
    ):
        read(nameless())
    assert read(nameless(), dims={"x:2": 12, "x:3": 10}).out_shapes[1] == ((1, 4, 10, 8),)


def test_by_input_and_axis_means_the_dimension_s_name():
    proto = model([node("Add", ["a", "b"], "y")], {"a": [1, "len"], "b": [1, "len"]})
    assert read(proto, dims={"b:1": 7}).out_shapes[0] == ((1, 7),)


@pytest.mark.parametrize("size", [-1, 0])
def test_minus_one_and_zero_are_open(size):
    graph = read(conv(size, 3, 8, 8))
    assert graph.macs.sum() == 3888
    assert graph.params.sum() == 108
    assert graph.notes == ("batch size 1 is assumed: dimension 0 of input 'x' is open (x:0)",)
    assert read(conv(size, 3, 8, 8), batch_size=4).macs.sum() == 4 * 3888
    with pytest.raises(BenchError, match="absurd dimension -2"):
        read(conv(-2, 3, 8, 8))


def test_an_assumed_batch_is_said_and_a_given_one_is_not():
    assert "batch size 1 is assumed" in read(conv("N", 3, 8, 8)).notes[0]
    for options in ({"batch_size": 1}, {"batch_size": 3}, {"dims": {"N": 1}}, {"dims": {"x:0": 2}}):
        assert read(conv("N", 3, 8, 8), **options).notes == ()
    assert read(conv(2, 3, 8, 8)).notes == ()


def test_the_batch_by_name_is_the_batch_size():
    assert read(conv("batch", 3, 8, 8), dims={"batch": 16}).batch_size == 16
    assert read(conv("batch", 3, 8, 8), dims={"batch": 16}, batch_size=16).batch_size == 16
    with pytest.raises(BenchError, match="batch size 8 contradicts --dim, which gives 16"):
        read(conv("batch", 3, 8, 8), dims={"batch": 16}, batch_size=8)


@pytest.mark.parametrize(
    ("dims", "says"),
    [
        ({"heigth": 320}, "no dimension 'heigth'; open are: height"),
        ({"x:9": 1}, "no dimension 'x:9'"),
        ({"z:0": 1}, "no dimension 'z:0'"),
        ({"height": 5, "x:2": 6}, "--dim gives height the sizes 5 and 6"),
        ({"height": 5, "x:1": 4}, "--dim x:1=4 contradicts the file, where it is 3"),
    ],
)
def test_names_that_are_not_there_and_contradictions(dims, says):
    with pytest.raises(BenchError) as refused:
        read(conv(1, 3, "height", 8), dims=dims)
    assert says in str(refused.value)


def test_what_the_file_states_may_be_repeated():
    assert read(conv(1, 3, "height", 8), dims={"height": 8, "x:1": 3}).macs.sum() == 3888


def words(first: str, second: str):
    """`first` names axis 0 of the tokens and axis 1 of a mask, whose axis 0 is `second`."""
    nodes = [node("Gather", ["table", "tok"], "e"), node("MatMul", ["mask", "e"], "y")]
    proto = model(nodes, {"tok": [first], "mask": [second, first]}, weights=[weight("table", 50, 16)])
    proto.graph.input[0].type.tensor_type.elem_type = INT64
    return proto


@pytest.mark.parametrize("names", [("seq", "batch"), ("s1", "s0"), ("length", "N")])
def test_a_length_that_stands_first_is_no_batch(names):
    proto = words(*names)
    with pytest.raises(BenchError, match=rf"dimension 0 of input 'tok' is open \({names[0]}\)"):
        read(proto)
    graph = read(proto, dims={names[0]: 7}, batch_size=2)
    assert graph.batch_size == 2
    assert graph.macs.sum() == 2 * 7 * 16


def test_states_of_recurrent_cells_have_the_batch_inside():
    cell = node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["y", "", ""], hidden_size=6)
    inputs = {"x": ["seq_len", "batch", 4], "h": [1, "batch", 6], "c": [1, "batch", 6]}
    proto = model([cell], inputs, weights=[weight("w", 1, 24, 4), weight("r", 1, 24, 6)])
    with pytest.raises(BenchError, match="seq_len"):
        read(proto)


@pytest.mark.parametrize("text", ["N", "=3", "N=", "N=two", "N=1.5", "N=0", "N=-2"])
def test_what_is_no_size_on_the_command_line(text):
    with pytest.raises(BenchError):
        sizes.dims(argparse.Namespace(dim=[text], batch_size=None))


def test_a_name_given_twice_on_the_command_line():
    assert sizes.dims(argparse.Namespace(dim=["a:1=2", "b=3"], batch_size=None)) == {"a:1": 2, "b": 3}
    with pytest.raises(BenchError, match="--dim N gives|--dim gives N the sizes 1 and 2"):
        sizes.dims(argparse.Namespace(dim=["N=1", "N=2"], batch_size=None))


def test_images_of_bytes_keep_their_type():
    proto = model([node("Cast", ["x"], "y", to=1)], {"x": ["N", 3]}, kind=TensorProto.UINT8)
    assert read(proto).memory_bytes.sum() == 3 + 12


def test_what_an_operation_makes_may_be_empty():
    """As of a part that no size of the input leaves anything of, which is then joined with the rest."""
    numbers = [helper.make_tensor(name, INT64, [1], [value]) for name, value in (("zero", 0), ("one", 1))]
    nodes = [node("Slice", ["x", "zero", "zero", "one"], "none"), node("Concat", ["none", "x"], "all", axis=1)]
    graph = read(model([*nodes, node("Relu", ["all"], "y")], {"x": [1, 4, 8]}, weights=numbers))
    assert [shapes[0] for shapes in graph.out_shapes[-3:]] == [(1, 0, 8), (1, 4, 8), (1, 4, 8)]
    assert graph.flops.sum() == 32
