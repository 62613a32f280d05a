"""What a latency may be asked of beside an ONNX file: a network of timm by name, a torch module."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from pipeline.core.errors import BenchError, one_line

TIMM = "timm:"
NAME = re.compile(r"timm:(?P<name>[A-Za-z0-9_]+)(?:\.[A-Za-z0-9_]+)?(?:@(?P<size>[0-9]{1,4}))?")  # .tag: of its weights


def content(source: Any, example_input: Any = None) -> tuple[Path | str | bytes, str]:
    """An ONNX file as a path or bytes, and the name it goes by ("" for that of the file).

    `source`: a path, bytes, ``timm:NAME`` or ``timm:NAME@SIZE``, or a torch module with `example_input`, a tensor or a
    tuple of them. The module is left as it is: a copy is traced. Raises BenchError: no such network, timm is not
    installed, no example input, or a module that torch's exporter can't trace.
    """
    if isinstance(source, str) and source.startswith(TIMM):
        return _of_timm(source)
    if isinstance(source, (str, bytes, Path)):
        return source, ""
    return _of_module(source, example_input), type(source).__name__


def _of_timm(word: str) -> tuple[bytes, str]:
    from pipeline.export import one

    found = NAME.fullmatch(word)
    if not found:
        raise BenchError(f"{word[:80]}: not timm:NAME or timm:NAME@SIZE, such as timm:resnet50@224")
    return one.timm_onnx(found["name"], int(found["size"] or 0))


def _of_module(module: Any, example_input: Any) -> bytes:
    import torch

    name = type(module).__name__
    if not isinstance(module, torch.nn.Module):
        raise BenchError(
            f"{name}: neither an ONNX file (path or bytes), a name such as timm:resnet50, nor a torch module"
        )
    inputs = example_input if isinstance(example_input, (tuple, list)) else (example_input,)
    if not inputs or not all(isinstance(tensor, torch.Tensor) for tensor in inputs):
        raise BenchError(f"{name}: a torch module needs example_input=, a tensor or a tuple of tensors")
    from pipeline.export.model import to_onnx

    try:
        return to_onnx(copy.deepcopy(module).cpu(), *(tensor.detach().cpu() for tensor in inputs))
    except Exception as error:  # noqa: BLE001  a module's own code may raise anything
        text = f"{type(error).__name__}: {one_line(error)[:300]}"
        raise BenchError(f"{name}: torch's exporter can't trace it ({text}); mend it, or give an ONNX file") from error
