"""Values of weights that lie in files beside a model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from pipeline.core.errors import BenchError


def is_external(tensor: TensorProto) -> bool:
    """Whether the values are in another file."""
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def read(tensor: TensorProto, folder: Path, where: str) -> np.ndarray:
    """The values of an external tensor of the model `where` in `folder`.

    Raises BenchError: a place outside the folder, a missing or short file, a type of less than a byte.
    """
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location = facts.get("location", "")
    path, home = (folder / location).resolve(), folder.resolve()
    if not location or not path.is_relative_to(home) or not path.is_file():
        raise BenchError(
            f"{where}: weight {tensor.name!r} lies in {location!r}, no file of its folder; get that file too"
        )
    try:
        kind, offset = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)), int(facts.get("offset") or 0)
        count = math.prod(tensor.dims)
        if offset < 0 or offset + count * kind.itemsize > path.stat().st_size:
            raise ValueError("the file is too short")
        return np.fromfile(path, kind, count, offset=offset).reshape(tuple(tensor.dims))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"{where}: weight {tensor.name!r} in {location!r}: {error}; get that file again") from error
