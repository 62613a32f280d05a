"""Training samples per CPU-second of NN-Former's configurations on NAS-Bench-201 cells (random labels, one thread).

python benchmarks/train_throughput.py [--steps 30]
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools
from functools import partial

import torch

from pipeline.core.graphs import Graphs, from_frame
from pipeline.spaces import cells
from predictors.kit.train_loop import Recipe, inputs_at, train
from predictors.nn_former import Predictor

CONFIGS = {
    "paper": {"preset": "paper"},
    "paper, no dropout": {"preset": "paper", "dropout": 0.0},
    "released": {"preset": "released"},
    "default": {},
}


def space(n: int) -> Graphs:
    """``n`` NAS-Bench-201 cells drawn from the whole space."""
    all_cells = list(itertools.product(cells.OPS_201, repeat=6))
    sample = torch.randperm(len(all_cells), generator=torch.Generator().manual_seed(0))[:n].tolist()
    frame = cells.graphs_frame(
        [str(i) for i in sample], "nasbench201", [cells.cell_201(all_cells[i]) for i in sample], cells.VOCAB_201
    )
    return from_frame(frame, {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    graphs = space(781)
    y = torch.randn(len(graphs))
    for name, overrides in CONFIGS.items():
        predictor = Predictor(overrides)
        inputs = predictor.encode(graphs.dense())
        model = predictor.build(len(graphs.vocab))
        c = predictor.config
        for count in (3, steps):  # the first run warms up
            recipe = Recipe(loss=c.loss, epochs=0, steps=count, batch_size=128, ema=c.ema, consistency=c.consistency)
            start = time.process_time()
            train(model, partial(inputs_at, inputs), y, recipe, seed=0)
            seconds = time.process_time() - start
        print(f"{name:20s} {steps * 128 / seconds:8.0f} samples per CPU-second")


if __name__ == "__main__":
    main()
