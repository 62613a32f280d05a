"""A torch network as an ONNX file without weights, and networks of timm as torch modules.

Tracing needs no values, only shapes: every parameter is filled with a number of its own, so that the exporter, which
merges equal weights, keeps them apart; and the file gets a name, a type and a shape for each, as NNLQP's files have it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import warnings
from collections.abc import Iterator

import onnx
import torch

from pipeline.export import operators

INPUT = "input"
MAX_VALUES = 64  # elements of a whole-number buffer whose values stay in the file: they may decide shapes
MERGES = ("fuse", "reparameterize", "switch_to_deploy")  # methods of timm's layers that do so
STEP = 2.0**-12  # exact in float32 for the first 2^24 parameters


@contextlib.contextmanager
def uninitialised() -> Iterator[None]:
    """Inside, torch's initialisations leave a parameter as it is: memory that nobody writes costs nothing."""
    names = [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]
    kept = {name: getattr(torch.nn.init, name) for name in names}
    for name in names:
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(torch.nn.init, name, function)


def to_onnx(module: torch.nn.Module, *inputs: torch.Tensor) -> bytes:
    """`module`, called with `inputs` in evaluation mode, as an ONNX model without the values of its weights.

    Parameters are overwritten. Raises what torch's exporter raises.
    """
    operators.register()
    module.eval()
    floats = (t for t in itertools.chain(module.parameters(), module.buffers()) if t.is_floating_point())
    for number, tensor in enumerate(floats, start=1):
        tensor.data.fill_(number * STEP)
    buffer = io.BytesIO()
    names = [INPUT, *(f"{INPUT}_{number}" for number in range(1, len(inputs)))]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes that a trace takes for constants; they are
        torch.onnx.export(
            module, inputs, buffer, dynamo=False, export_params=False, do_constant_folding=False,
            opset_version=operators.OPSET, input_names=names,
        )  # fmt: skip
    model = onnx.ModelProto.FromString(buffer.getvalue())
    _make_weights(model.graph, set(names), {**module.state_dict(), **dict(module.named_buffers())})
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("name")
    return model.SerializeToString(deterministic=True)


def _make_weights(graph: onnx.GraphProto, names: set[str], state: dict[str, torch.Tensor]) -> None:
    """Inputs of the model beside `names` become initializers without values."""
    inputs = list(graph.input)
    del graph.input[:]
    graph.input.extend(value for value in inputs if value.name in names)
    for value in inputs:
        if value.name in names:
            continue
        kind = value.type.tensor_type
        weight = onnx.TensorProto(
            name=value.name, data_type=kind.elem_type, dims=[dim.dim_value for dim in kind.shape.dim]
        )
        tensor = state.get(value.name)
        if tensor is not None and not tensor.is_floating_point() and tensor.numel() <= MAX_VALUES:
            weight = onnx.numpy_helper.from_array(tensor.numpy(), value.name)
        graph.initializer.append(weight)


@functools.cache
def timm_modules() -> dict[str, str]:
    """The module of timm that each network it lists is defined in. Raises ModuleNotFoundError without the extra."""
    timm = _timm()
    return {name: module for module in timm.list_modules() for name in timm.list_models(module=module)}


def timm_network(name: str, size: int) -> torch.nn.Module:
    """timm's network `name` for square images of `size` pixels, with exportable layers and no weights.

    A network whose size is fixed is made for `size`. Raises what timm raises.
    """
    timm = _timm()
    own = timm.models.get_pretrained_cfg(name)
    fixed = own is not None and own.fixed_input_size and own.input_size[-1] != size
    with uninitialised():
        return timm.create_model(name, exportable=True, **({"img_size": size} if fixed else {}))


def own_size(name: str) -> int:
    """The edge in pixels of the images that timm's network `name` is made for."""
    about = _timm().models.get_pretrained_cfg(name)
    return about.input_size[-1] if about is not None else 224


def as_deployed(module: torch.nn.Module) -> torch.nn.Module | None:
    """`module` with the branches merged that its authors merge for inference, in place; None where it has none."""
    if not any(hasattr(part, way) for part in module.modules() for way in MERGES):
        return None
    return _timm().models.reparameterize_model(module.eval(), inplace=True)


@functools.cache
def _timm():
    """timm. torchvision beside a CPU torch lacks its operators: named here, never run, they let it be imported."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # they are there
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

    timm.operators = library  # a library that is forgotten takes its operators with it
    return timm
