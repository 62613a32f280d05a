"""Operations of torch that its TorchScript exporter lacks at opset 20, written in ONNX's."""

from __future__ import annotations

import functools

import torch
from torch.onnx import symbolic_helper

OPSET = 20  # the newest of the TorchScript exporter; the first with Gelu


@functools.cache
def register() -> None:
    """Teach the exporter rms_norm and col2im (torch's fold)."""
    torch.onnx.register_custom_op_symbolic("aten::rms_norm", _rms_norm, OPSET)
    torch.onnx.register_custom_op_symbolic("aten::col2im", _col2im, OPSET)


@symbolic_helper.parse_args("v", "is", "v", "f")
def _rms_norm(g, x, shape, weight, epsilon):
    """x / sqrt(mean(x^2) + epsilon) * weight over the last dimensions, as many as `shape` has."""
    epsilon = torch.finfo(torch.float32).eps if epsilon is None else epsilon
    constant = functools.partial(g.op, "Constant")
    axes = constant(value_t=torch.arange(-len(shape), 0))
    mean = g.op("ReduceMean", g.op("Mul", x, x), axes)
    spread = g.op("Sqrt", g.op("Add", mean, constant(value_t=torch.tensor(epsilon))))
    y = g.op("Div", x, spread)
    return y if symbolic_helper._is_none(weight) else g.op("Mul", y, weight)


@symbolic_helper.parse_args("v", "v", "is", "is", "is", "is")
def _col2im(g, x, size, kernel, dilation, padding, stride):
    """torch's fold of sliding windows into an image; the exporter's own does not know a size that is traced."""
    sizes = symbolic_helper._unpack_list(size) if symbolic_helper._is_packed_list(size) else None
    if sizes is not None:
        first = g.op("Constant", value_t=torch.tensor([0]))
        size = g.op("Concat", *(g.op("Unsqueeze", one, first) for one in sizes), axis_i=0)
    kernel = g.op("Constant", value_t=torch.tensor(kernel))
    pads = [*padding, *padding]
    return g.op("Col2Im", x, size, kernel, dilations_i=dilation, pads_i=pads, strides_i=stride)
