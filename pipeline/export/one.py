"""One network of timm as an ONNX file, made in a process of its own."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import tempfile
from pathlib import Path

from pipeline.core.errors import BenchError
from pipeline.export import run
from pipeline.export.files import Network


def timm_onnx(name: str, size: int = 0) -> tuple[bytes, str]:
    """The ONNX file of timm's network `name` for images of `size` pixels (0: its own), and its name: NAME@SIZE.

    Where its authors merge branches for inference, it is as deployed. Raises BenchError: timm is missing, has no such
    network, or it can't be traced at that size.
    """
    if importlib.util.find_spec("timm") is None:
        raise BenchError(f"timm:{name}: needs timm, which is not installed; pip install 'nn-former-bench[timm]'")
    with tempfile.TemporaryDirectory() as folder:
        network = Network(name, size)
        with contextlib.closing(run.answers([network], Path(folder))) as answers:
            ((_, about),) = answers
        if about["message"]:
            raise BenchError(f"timm:{name}: {about['message']}; check the name (timm.list_models()) and the size")
        deployed = network.file(Path(folder), deployed=True)
        path = deployed if deployed.exists() else network.file(Path(folder))
        return gzip.decompress(path.read_bytes()), f"timm:{Network(name, about['size'])}"
