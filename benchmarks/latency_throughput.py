"""Training samples per CPU-second of NN-Former's latency model at its released size: batches against a loop.

python -m benchmarks.latency_throughput [--steps 6]

The loop is the plain form that the released code has: one graph after the other, dense n x n masks that are made again
in every layer, one product for each weight. Networks are generated (`onnx_networks`), labels random, one thread.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.graphs import Graphs
from predictors.kit.nn_former_latency import LatencyModel, Networks
from predictors.kit.node_features import Features
from predictors.kit.ragged import Ragged
from predictors.kit.train_loop import Recipe, train
from tests.helpers.onnx_graphs import graphs_of
from tests.helpers.onnx_networks import networks

RELEASED = {"layers": 2, "dim": 512, "heads": 4, "ffn_ratio": 4}


class Loop(nn.Module):
    """The same model, a graph at a time. ``forward``: numbers of the graphs (b,) -> (b,)."""

    def __init__(self, model: LatencyModel, graphs: Graphs, dropout: float) -> None:
        super().__init__()
        self.model, self.p = model, dropout
        features, everything = Features("nn_former"), torch.arange(len(graphs.op))
        self.x = features.nodes(graphs, everything).split(graphs.n_nodes.tolist())
        self.static = features.static(graphs, torch.arange(len(graphs)))
        counts = graphs.edge_ptr.diff().tolist()
        self.edges = list(zip(graphs.src.split(counts), graphs.dst.split(counts), strict=True))

    def forward(self, index: Tensor) -> Tensor:
        m, vectors = self.model, []
        for i in index.tolist():
            adj = torch.zeros(len(self.x[i]), len(self.x[i]))
            adj[self.edges[i]] = 1
            x = m.embed(self.x[i])
            for layer in m.layers:
                y = layer.norm(x)
                y = self.attention(layer.f, y, adj) if hasattr(layer.f, "qkv") else self.feed_forward(layer.f, y, adj)
                x = x + layer.scale * y
            y = m.reduce.norm(x) * 0.01
            y = y + m.reduce.down(self.drop(F.relu(m.reduce.up(y))))
            vectors.append(y.sum(0))
        static = self.drop(F.relu(m.static(self.static[index])))
        return m.heads(torch.cat([torch.stack(vectors), static], 1), torch.zeros(len(index), dtype=torch.long))

    def attention(self, f: nn.Module, x: Tensor, adj: Tensor) -> Tensor:
        n = len(x)
        masks = torch.stack([adj, adj.T, adj @ adj.T, adj.T @ adj]) + torch.eye(n)  # (4, n, n)
        q, k, v = (part.view(n, f.heads, -1).transpose(0, 1) for part in f.qkv(x).chunk(3, -1))
        score = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(masks == 0, -torch.inf)
        return self.drop(f.out((score.softmax(-1) @ v).transpose(0, 1).reshape(n, -1)))

    def feed_forward(self, f: nn.Module, x: Tensor, adj: Tensor) -> Tensor:
        own, graph = f.up.weight.split(f.hidden)
        first, second = F.linear(x, graph).chunk(2, -1)
        h = F.linear(x, own, f.bias) + torch.cat([adj @ first, adj.T @ second], -1)
        return self.drop(f.down(self.drop(F.relu(h))))

    def drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)


def speed(model: nn.Module, inputs, n: int, steps: int, consistency: float = 0.0) -> float:
    """Samples per CPU-second of ``steps`` training steps at batch 16, after two to warm up."""
    y = torch.randn(n, generator=torch.Generator().manual_seed(0))
    for count in (2, steps):
        recipe = Recipe("mspe", epochs=0, steps=count, batch_size=16, grad_clip=5.0, consistency=consistency)
        start = time.process_time()
        train(model, inputs, y, recipe, seed=0)
        seconds = time.process_time() - start
    return 16 * steps / seconds


def main() -> None:
    """Print the throughputs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--networks", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    graphs = graphs_of(networks(args.networks))
    counts = graphs.n_nodes
    print(f"{len(graphs)} networks of {counts.min()} to {counts.max()} nodes, mean {counts.float().mean():.0f}")
    platform = torch.zeros(len(graphs), dtype=torch.long)
    results = {}
    for dropout, consistency in ((0.0, 0.0), (0.05, 0.01)):
        settings = Networks({**RELEASED, "dropout": dropout}, task="cost")
        torch.manual_seed(0)
        model = LatencyModel(192, 40, 1, settings.config, cost=True)
        batched = Ragged(graphs, settings.hops, Features("nn_former"), platform, settings.folds)
        plain = Loop(model, graphs, dropout)
        if not dropout:
            with torch.inference_mode():
                index = torch.arange(16)
                print(f"largest difference of outputs {(model(*batched.take(index)) - plain(index)).abs().max():.1e}")
        results["loop", dropout] = speed(plain, lambda index: (index,), len(graphs), args.steps, consistency)
        results["batched", dropout] = speed(model, batched.take, len(graphs), args.steps, consistency)
    for (form, dropout), value in results.items():
        recipe = "dropout and consistency pass as released" if dropout else "one pass, no dropout"
        print(f"{form:8s} {recipe:42s} {value:7.2f} samples per CPU-second")
    same = results["batched", 0.0] / results["loop", 0.0]
    released = results["batched", 0.05] / results["loop", 0.05]
    ours = results["batched", 0.0] / results["loop", 0.05]
    print(f"batched over loop: {same:.1f} without dropout, {released:.1f} with the released recipe for both,")
    print(f"{ours:.1f} for batches without dropout over the loop with the released recipe")


if __name__ == "__main__":
    main()
