"""Makes ONNX files of timm's networks, named on its standard input, one a line: NAME SIZE PATH. Answers a line each.

A process of its own, which `pipeline.export.run` starts anew now and then: torch gives little memory back.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import time
from pathlib import Path

import torch

from pipeline.core import io
from pipeline.export.files import DEPLOYED, SUFFIX
from pipeline.export.model import as_deployed, own_size, timm_modules, timm_network, to_onnx


def answer(name: str, size: int, path: Path) -> dict[str, object]:
    """Write the network's file, and one of the network as deployed where that is another; say how it went.

    `size` 0 is the network's own.
    `params`, `buffers`: what torch counts in each of them, buffers without whole numbers; `cpu_s`: what all of it took.
    """
    start = time.process_time()
    about = {"module": timm_modules().get(name), "params": [], "buffers": [], "message": "", "size": size}
    try:
        if about["module"] is None:
            raise LookupError("timm lists no such network")
        size = about["size"] = size or own_size(name)
        image = torch.zeros(1, 3, size, size)
        network = timm_network(name, size)
        _count(network, about)
        content = to_onnx(network, image)
        deployed = as_deployed(network)
        if deployed is not None:
            _count(deployed, about)
            _write(path.with_name(path.name.replace(SUFFIX, DEPLOYED + SUFFIX)), to_onnx(deployed, image))
        _write(path, content)  # the last: where it is, all is done
    except Exception as error:  # noqa: BLE001  a network's own code may raise anything
        about["message"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {**about, "cpu_s": round(time.process_time() - start, 2), "peak_mb": peak_mb}


def _count(network: torch.nn.Module, about: dict) -> None:
    about["params"].append(sum(tensor.numel() for tensor in network.parameters()))
    about["buffers"].append(sum(tensor.numel() for tensor in network.buffers() if tensor.is_floating_point()))


def _write(path: Path, content: bytes) -> None:
    io.write_bytes(path, gzip.compress(content, mtime=0))


def main() -> None:
    """One network a line, until the end of the input."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what networks and the exporter print
    for line in sys.stdin:
        name, size, path = line.split(" ", 2)
        print(json.dumps(answer(name, int(size), Path(path.rstrip("\n")))), file=answers, flush=True)


if __name__ == "__main__":
    main()
