"""What NN-Former looks at: trains one cell of a grid again and writes the attention of its heads on one network.

    python -m pipeline.train.attention --dataset D --target T --train 0.05 --data data/parquet/D --split S --out F

The network is held out, with the most nodes, of those with the most pairs of siblings, then with the most kinds of
operations, then with the best label. Rows of the table: block, head, mask, node (that looks), other (that is looked
at), weight, allowed. The weights of a node sum to one. As in the paper, the masks are hard, one a head, and nothing is
learned before the labels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from pipeline.core import io, provenance
from pipeline.core.errors import BenchError, run_cli
from pipeline.core.graphs import Graphs, from_frame
from pipeline.split import training_set
from pipeline.train.cell import task_of, training_graphs
from predictors import base
from predictors.kit.features import op_counts
from predictors.kit.nn_former_cells import ASMA, attention_masks
from predictors.nn_former import Predictor


def richest(graphs: Graphs, values: Tensor) -> int:
    """Index of the graph with the most nodes, then pairs of siblings, then kinds of operations, then largest value.

    ``values``: (n,), one a graph.
    """
    a = graphs.dense().adj.float()
    pairs = ((a @ a.mT + a.mT @ a) > 0).triu(1).flatten(1).sum(1)
    kinds = (op_counts(graphs) > 0).sum(1)
    keys = [column.tolist() for column in (graphs.n_nodes, pairs, kinds, values)]
    return max(range(len(graphs)), key=lambda i: [column[i] for column in keys])


def attention(predictor: Predictor, graph: Graphs) -> Tensor:
    """Weights of every block and head on one graph of N nodes, (blocks, heads, N, N), tokens left out.

    With tokens, which are looked at too, a row sums to less than one.
    """
    found: list[Tensor] = []

    def look(module: ASMA, inputs: tuple) -> None:
        x, bias, rows = inputs
        (b, n), d = rows.shape, x.shape[-1]
        q, k, _ = rows.pad(module.qkv(x)).view(b, n, 3, module.heads, d // module.heads).permute(2, 0, 3, 1, 4)
        found.append((q @ k.mT * (d // module.heads) ** -0.5 + bias).softmax(-1)[0])

    hooks = [block.attention.register_forward_pre_hook(look) for block in predictor.module.blocks]
    predictor.predict(graph)
    for hook in hooks:
        hook.remove()
    first = 2 if predictor.config.tokens else 0
    return torch.stack(found)[:, :, first:, first:].cpu()


def table(weights: Tensor, graph: Graphs, masks: tuple[str, ...]) -> pl.DataFrame:
    """The rows of `weights` (blocks, heads, N, N)."""
    dense = graph.dense()
    kinds = [masks[head % len(masks)] for head in range(weights.shape[1])]
    allowed = attention_masks(dense.adj, dense.mask, tuple(kinds))[0].expand_as(weights)
    block, head, node, other = (
        index.flatten() for index in torch.meshgrid(*map(torch.arange, weights.shape), indexing="ij")
    )
    numbers = {"block": block, "head": head, "node": node, "other": other}
    frame = pl.DataFrame({name: values.numpy() for name, values in numbers.items()}).cast(pl.UInt16)
    return frame.with_columns(
        mask=pl.Series([kinds[h] for h in head.tolist()]),
        weight=pl.Series(weights.flatten().numpy()),
        allowed=pl.Series(allowed.flatten().numpy()),
    )


def main() -> None:
    """Command line."""
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m pipeline.train.attention", description=about)
    parser.add_argument("--dataset", required=True, help="name in config/datasets.yaml")
    parser.add_argument("--target", required=True, help="label to learn, such as test_acc")
    parser.add_argument("--config", default="{}", help="settings as JSON, over the predictor's defaults")
    parser.add_argument("--train", required=True, help="training size, such as 0.05 or n900")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", required=True, type=Path, help="folder with graphs.parquet and targets.parquet")
    parser.add_argument("--split", required=True, type=Path, help="split file of this seed")
    parser.add_argument("--out", required=True, type=Path, help="table to write")
    args = parser.parse_args()
    frame, meta = io.read_parquet(args.data / "graphs.parquet"), io.read_meta(args.data / "graphs.parquet")
    graphs = from_frame(frame, meta)
    if graphs.attrs.shape[1]:
        raise BenchError(f"{args.data}: networks with attributes are not drawn; give a data set of cells")
    labels = io.read_parquet(args.data / "targets.parquet").filter(target=args.target, device="any")
    trained = training_set.make(args.train, None, "any", labels, frame, io.read_parquet(args.split))
    predictor = Predictor(
        {**json.loads(args.config), "soft": False, "pretrain_steps": 0}, task_of(args.target), args.seed
    )
    val, test = (labels.filter(pl.col("graph_id").is_in(ids.tolist())) for ids in (trained.val, trained.test))
    predictor.fit(*training_graphs(graphs, trained.rows), *(training_graphs(graphs, val) if val.height else ()))
    held_out, values = training_graphs(graphs, test)
    at = richest(held_out, values)
    graph = held_out[at : at + 1]
    network = int(graph.graph_id)
    about = {
        "kind": "attention", "dataset": args.dataset, "dataset_version": meta["version"], "target": args.target,
        "predictor": "nn_former", "config_hash": base.config_hash(predictor.config), "train": args.train,
        "n_train": trained.n_train, "seed": args.seed, "graph_id": network,
        "network": frame.row(by_predicate=pl.col("graph_id") == network, named=True)["name"],
        "true": float(values[at]), "predicted": float(predictor.predict(graph)),
        "ops": [graphs.vocab[op] for op in graph.op.tolist()],
        "edges": torch.stack([graph.src, graph.dst], 1).tolist(), "host_cpu": provenance.cpu(),
        "torch_version": torch.__version__, "code_rev": provenance.code_rev(),
    }  # fmt: skip
    io.write_parquet(args.out, table(attention(predictor, graph), graph, predictor.config.masks), about)


if __name__ == "__main__":
    run_cli(main)
