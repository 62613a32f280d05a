"""NAS-Bench-101's 423,624 cells: time to predict all of them with NN-Former, and to score the predictions.

    python -m benchmarks.nasbench101_scoring [--predictor nn_former] [--graphs 423624]

Labels are synthetic. Prints CPU-seconds on one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from pipeline.convert import _nasbench101, nasbench101
from pipeline.core.graphs import Graphs, from_frame
from pipeline.score import metrics
from pipeline.spaces import cells
from pipeline.spaces import nasbench101 as space101
from predictors import base


def main() -> None:
    """Enumerate, train for a few steps, predict, score, print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nasbench101_scoring", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--predictor", default="nn_former")
    parser.add_argument("--graphs", type=int, default=space101.N_CELLS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    graphs = clocked("graphs from the enumerated space", lambda: space(args.graphs))
    labels = graphs.params.log() + torch.randn(len(graphs), generator=torch.Generator().manual_seed(0))
    predictor = base.load(args.predictor)({}, "accuracy", 0, "cpu")
    train = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(1))[:100]
    predictor.fit(graphs[train], labels[train])
    predicted = clocked(f"{args.predictor} predicts {len(graphs):,} cells", lambda: predictor.predict(graphs))
    for name, metric in metrics.RANKING.items():
        clocked(name, lambda metric=metric: metric(predicted.float(), labels))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def space(n: int) -> Graphs:
    """``n`` cells drawn from the enumerated space."""
    all_cells = space101.enumerate_cells()
    picked = np.random.default_rng(0).permutation(len(all_cells.n))[:n]
    sample = space101.Space(*(column[picked] for column in all_cells))
    names = [str(row) for row in picked]
    table = _nasbench101.Table(sample, space101.parameters(sample), names, picked.astype(np.uint64), {})
    return from_frame(
        nasbench101.graphs_frame(table), {"op_vocab": list(cells.VOCAB_101), "attr_names": [], "out_shape_rank": 0}
    )


def clocked(name: str, function):
    """The function's result; prints the CPU-seconds it took."""
    start = time.process_time()
    result = function()
    print(f"{time.process_time() - start:7.2f} CPU-seconds: {name}", flush=True)
    return result


if __name__ == "__main__":
    main()
