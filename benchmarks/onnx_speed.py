"""Speed of ONNX file to node features (NN-Former's 192), file by file, nothing kept from one to the next.

    python -m benchmarks.onnx_speed FILE... [--repeats N]

prints CPU milliseconds per file (median and fastest of N) and files per CPU-second.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from pipeline.core import node_features as nodes
from pipeline.onnx.columns import BASE, attribute_rows, op_ids, shape_rows, vocabulary
from pipeline.onnx.graph import read_graph


def node_features(path: Path) -> np.ndarray:
    """(nodes, 192) features of the network in an ONNX file."""
    graph = read_graph(path)
    vocab = vocabulary(graph.ops)
    return nodes.nn_former(op_ids(graph, vocab), vocab, attribute_rows(graph), BASE, shape_rows(graph))


def main() -> None:
    """Measure and print one line per file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_speed", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=50)
    args = parser.parse_args()
    for path in args.files:
        node_features(path)  # imports and caches of onnx itself
        times = []
        for _ in range(args.repeats):
            start = time.process_time()
            nodes = len(node_features(path))
            times.append(time.process_time() - start)
        median = statistics.median(times)
        print(
            f"{path.name}: {nodes} nodes, median {1e3 * median:.2f} ms, fastest {1e3 * min(times):.2f} ms of CPU time, "
            f"{1 / median:.0f} files per CPU-second"
        )


if __name__ == "__main__":
    main()
