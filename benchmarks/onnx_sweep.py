"""ONNX files that others made: which convert, and are the counts those of what ONNX Runtime runs?

    python -m benchmarks.onnx_sweep FOLDER [--out TABLE.csv]

Every .onnx file below FOLDER is read; dimensions that are open beside the batch get the size that
FOLDER/sizes.json ({"file.onnx": {"NAME": SIZE}}) gives, or one by their kind (images 64 high and wide, sequences
32). Then the runtime runs the file once, without
optimisation, on zeros: its profile says which operations ran on which shapes, and MACs are counted from those;
parameters are the elements of the file's own initializers of floating point. Prints a line a file and a summary.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from pipeline.core.errors import BenchError
from pipeline.onnx.graph import read_graph

OPEN = re.compile(r"--dim (\S+?)=SIZE")
CLOSE = 0.01  # relative difference of counts that agree
IMAGE = re.compile(r"height|width|^h$|^w$|:[23]$|image|dynamic|^M\d|^d\d", re.IGNORECASE)


def size_of(name: str, given: dict[str, int]) -> int:
    """A size for an open dimension: as given, or by its name."""
    return given.get(name) or (64 if IMAGE.search(name) else 32)


def convert(path: Path, given: dict[str, int]) -> tuple[object, dict[str, int]]:
    """The graph of a file and the sizes it needed. Raises BenchError where it is refused."""
    try:
        return read_graph(path), {}
    except BenchError as error:
        dims = {name: size_of(name, given) for name in OPEN.findall(str(error))}
        if not dims:
            raise
        return read_graph(path, dims=dims), dims


def ran(path: Path, dims: dict[str, int]) -> list[dict]:
    """What ONNX Runtime ran of a file: its operations with the shapes they had."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling, options.log_severity_level, options.intra_op_num_threads = True, 4, 1
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights lose their shapes
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options)
        feeds = {}
        for value in session.get_inputs():
            sizes = [
                size if isinstance(size, int) and size > 0 else dims.get(str(size), dims.get(f"{value.name}:{axis}", 1))
                for axis, size in enumerate(value.shape)
            ]
            kind = helper.tensor_dtype_to_np_dtype(_KINDS[value.type])
            feeds[value.name] = np.zeros(sizes, kind)
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    return [event["args"] for event in events if event.get("cat") == "Node" and "output_type_shape" in event["args"]]


def counted(events: list[dict]) -> float:
    """MACs of what ran. The formulas are written down apart from `pipeline.onnx.costs`."""
    total = 0.0
    for event in events:
        reads, writes = (
            [next(iter(kind.values())) for kind in event[f"{way}_type_shape"]] for way in ("input", "output")
        )
        op, made = event["op_name"], math.prod(writes[0]) if writes else 0
        if op in ("Conv", "FusedConv", "ConvInteger"):
            total += made * math.prod(reads[1][1:])
        elif op == "QLinearConv":
            total += made * math.prod(reads[3][1:])
        elif op == "ConvTranspose":
            total += math.prod(reads[0]) * math.prod(reads[1][1:])
        elif op in ("MatMul", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"):
            total += made * reads[0][-1]
        elif op in ("Gemm", "FusedGemm"):
            total += math.sqrt(math.prod(reads[0]) * math.prod(reads[1]) * made)  # (m k) (k n) (m n)
        elif op in ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"):
            total += math.prod(reads[0][:2]) * (math.prod(reads[1]) + math.prod(reads[2]))
        elif op == "FusedMatMul":  # (b m k) (b k n) (b m n), or (b m k) (k n) (b m n)
            shared = math.prod(writes[0][:-2]) if len(reads[1]) > 2 else 1
            total += math.sqrt(math.prod(reads[0]) * math.prod(reads[1]) * made / shared)
        elif op == "Attention" and len(reads[0]) == 3:
            tokens, width = math.prod(reads[0][:2]), reads[1][1]
            total += tokens * (reads[0][2] * width + reads[0][1] * 2 * width / 3)
        elif op == "MultiHeadAttention":
            total += math.prod(reads[0]) * reads[1][-2] * 2
        elif op == "Attention" and len(reads[0]) == 4:
            total += math.prod(reads[0][:3]) * reads[1][2] * (reads[0][3] + reads[2][3])
        elif op == "Einsum":
            total = math.nan
    return total


def parameters(path: Path) -> int:
    """Elements of initializers of floating point or 8 bits, and of Constant nodes, that are more than one number."""
    model = onnx.load(path, load_external_data=False)
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}
    floats |= {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    tensors = list(model.graph.initializer)
    tensors += [
        a.t for node in model.graph.node if node.op_type == "Constant" for a in node.attribute if a.name == "value"
    ]
    return sum(math.prod(t.dims) for t in tensors if t.data_type in floats and math.prod(t.dims) > 1)


def row(path: Path, given: dict[str, int]) -> dict:
    """What became of one file."""
    about = {"file": path.name, "status": "converted", "message": "", "seconds": 0.0}
    start = time.process_time()
    try:
        graph, dims = convert(path, given)
    except BenchError as error:
        return about | {"status": "refused", "message": str(error).removeprefix(f"{path}: ")}
    except Exception:
        return about | {"status": "traceback", "message": traceback.format_exc(limit=-1).replace("\n", " ")}
    about |= {"seconds": time.process_time() - start, "nodes": len(graph.ops), "macs": graph.macs.sum()}
    about |= {"params": graph.params.sum(), "counted_params": parameters(path), "dims": dims}
    try:
        about["counted_macs"] = counted(ran(path, dims))
    except Exception as error:  # whatever the runtime raises
        about["message"] = f"not run: {str(error)[:100]}"
    return about


def agrees(about: dict, key: str) -> str:
    """Whether a count agrees with the independent one: yes, no, or unknown."""
    own, other = about.get(key), about.get(f"counted_{key}")
    if own is None or other is None or math.isnan(other):
        return "unknown"
    return "yes" if abs(own - other) <= CLOSE * max(own, other) else "no"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_sweep", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the files are")
    parser.add_argument("--out", type=Path, help="table to write")
    args = parser.parse_args()
    sizes = args.folder / "sizes.json"
    given = json.loads(sizes.read_text()) if sizes.is_file() else {}
    rows = []
    for path in sorted(args.folder.rglob("*.onnx")):
        rows.append(row(path, given.get(path.name, {})))
        last = rows[-1]
        counts = f"MACs {agrees(last, 'macs')}, parameters {agrees(last, 'params')}"
        print(
            f"{last['status']:10} {last['file']}: {counts if last['status'] == 'converted' else ''} {last['message']}"
        )
        sys.stdout.flush()
    converted = [about for about in rows if about["status"] == "converted"]
    print(f"{len(converted)} of {len(rows)} converted ({100 * len(converted) / max(len(rows), 1):.1f} %)")
    for key in ("macs", "params"):
        print(f"{key}: " + ", ".join(f"{n} {said}" for said, n in Counter(agrees(a, key) for a in converted).items()))
    if args.out:
        keys = sorted({key for about in rows for key in about})
        with args.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, keys)
            writer.writeheader()
            writer.writerows(rows)
    return 1 if any(about["status"] == "traceback" for about in rows) else 0


_KINDS = {
    "tensor(float)": onnx.TensorProto.FLOAT, "tensor(float16)": onnx.TensorProto.FLOAT16,
    "tensor(double)": onnx.TensorProto.DOUBLE, "tensor(int64)": onnx.TensorProto.INT64,
    "tensor(int32)": onnx.TensorProto.INT32, "tensor(bool)": onnx.TensorProto.BOOL,
    "tensor(uint8)": onnx.TensorProto.UINT8, "tensor(int8)": onnx.TensorProto.INT8,
    "tensor(int16)": onnx.TensorProto.INT16, "tensor(uint16)": onnx.TensorProto.UINT16,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
