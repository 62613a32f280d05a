"""Operations and costs of ONNX files, as predictors see them."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from pipeline.core.errors import BenchError, one_line
from pipeline.onnx import sizes

EXAMPLES = """  nnfb graph MODEL.onnx
  nnfb graph MODEL.onnx --batch-size 8 --nodes
  nnfb graph *.onnx --json
"""
COSTS = ("macs", "flops", "params", "memory_bytes")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take what `run` needs."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="with or without weights")
    sizes.add_sizes(parser)
    parser.add_argument("--nodes", action="store_true", help="a line for each operation too")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Print each file's costs; 1 when a file is refused."""
    from pipeline.onnx.graph import read_graph

    dims, status = sizes.dims(args), 0
    for file in args.files:
        try:
            graph = read_graph(file, batch_size=args.batch_size, dims=dims)
        except BenchError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            status = 1
            continue
        totals = {name: float(getattr(graph, name).sum()) for name in COSTS}
        about = {"file": file, "batch_size": graph.batch_size, "edges": len(graph.src), **totals}
        if args.json:
            print(json.dumps({**about, "operations": dict(Counter(graph.ops).most_common())}))
        else:
            print(f"{file}: {len(graph.ops)} nodes, {about['edges']} edges, batch {graph.batch_size}")
            print("  " + ", ".join(f"{total:,.0f} {name}" for name, total in totals.items()))
            print("  " + ", ".join(f"{n} {op}" for op, n in Counter(graph.ops).most_common()))
        if args.nodes:
            for i, op in enumerate(graph.ops):
                costs = {name: float(getattr(graph, name)[i]) for name in COSTS}
                shape = graph.out_shapes[i][0] if graph.out_shapes[i] else ()
                node = {"node": i, "op": op, "shape": list(shape), **costs}
                plain = f"  {i:5} {op:20} {'x'.join(map(str, shape)):18} {costs['macs']:,.0f} macs"
                print(json.dumps(node) if args.json else plain)
    return status
