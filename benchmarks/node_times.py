"""Where the time goes, as a predictor says and as ONNX Runtime's profiler does: rank correlation of the times of nodes.

python -m benchmarks.node_times MODEL.onnx ... [--device i7_12700h_fp32_nchw_dynamo_pt240] [--runs 20]

The runtime runs the graph as it is written, one thread, without its own fusions: a node of the file is a node of the
profile. Each node's time is the median of the runs. The machine is this one, the predictor's is `--device`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.stats import spearmanr

from pipeline.core.errors import BenchError, run_cli
from pipeline.measure import weights
from pipeline.onnx.fold import fold
from pipeline.onnx.graph import INPUT, OnnxGraph
from pipeline.onnx.load import load
from pipeline.predict import by_node, saved
from pipeline.predict.model import Model
from pipeline.report.format import markdown

HEADER = ["Network", "Nodes", "By node", "By block", "FLOPs by node"]


def profiled(content: bytes, name: str, runs: int) -> dict[str, float]:
    """Microseconds of each node that ran, by the name of its first output."""
    model, values, loaded = weights.fill(content, name)
    model = weights.embedded(model, values)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(runs + 1):
            session.run(None, weights.inputs(loaded))
        events = json.loads(Path(session.end_profiling()).read_text())
    found = defaultdict(list)
    for event in events:
        node, _, kind = event["name"].rpartition("_kernel_time")
        if event.get("cat") == "Node" and not kind and node:
            found[node].append(event["dur"])
    outputs = {node.name: node.output[0] for node in model.graph.node}
    return {outputs[node]: statistics.median(times[1:]) for node, times in found.items() if node in outputs}


def as_in_file(content: bytes, name: str, graph: OnnxGraph, times: dict[str, float]) -> np.ndarray:
    """The microseconds of each node of a graph, (n,); NaN of inputs. Raises BenchError where one did not run."""
    folded = [node.outputs for node in fold(load(content, name)).nodes]
    found = [next((times[output] for output in outputs if output in times), None) for outputs in folded]
    if None in found or len(found) + graph.ops.count(INPUT) != len(graph.ops):
        raise BenchError(f"{name}: nodes of the graph and of the profile are not the same; take another network")
    return np.array([np.nan] * graph.ops.count(INPUT) + found)


def row(model: Model, path: Path, runs: int) -> list[str]:
    """The cells of a line of the table."""
    content = path.read_bytes()
    graph = model.read(content, str(path))
    real = as_in_file(content, str(path), graph, profiled(content, str(path), runs))
    _, said, _ = model.node_times(graph, 1.0, as_written=True)
    nodes = ~np.isnan(real)
    blocks = [block for block in by_node.blocks(graph) if nodes[block].all()]
    by_block = [[times[block].sum() for block in blocks] for times in (said, real)]
    figures = [spearmanr(said[nodes], real[nodes]), spearmanr(*by_block), spearmanr(graph.flops[nodes], real[nodes])]
    return [path.stem, str(nodes.sum()), *(f"{figure.statistic:.2f}" for figure in figures)]


def main() -> None:
    """Print a line a network, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--device", default="i7_12700h_fp32_nchw_dynamo_pt240")
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    (entry,) = saved.shipped(args.device)
    model = Model(entry)
    print("\n".join(markdown(HEADER, [row(model, path, args.runs) for path in args.files], "lrrrr")))


if __name__ == "__main__":
    run_cli(main)
