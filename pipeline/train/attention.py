"""What NN-Former looks at: trains one cell of a grid again and writes the attention of its heads on one network.

    python -m pipeline.train.attention DATASET TARGET nn_former 0.05 --data data/parquet/D --split S --out F

The network is held out, with the most nodes, of those with the most pairs of siblings, then with the most kinds of
operations, then with the best label. Rows of the table: block, head, mask, node (that looks), other (that is looked
at), weight, allowed. The weights of a node sum to one. As in the paper, the masks are hard, one a head, and nothing is
learned before the labels.
"""

from __future__ import annotations

import traceback
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io, provenance
from pipeline.core.errors import BenchError, run_cli
from pipeline.core.graphs import Graphs, from_frame
from pipeline.split import training_set
from pipeline.train import command
from pipeline.train.cell import Tables, described, graphs_and_labels
from pipeline.train.supervise import Tell, supervise
from predictors import base
from predictors.kit.features import op_counts
from predictors.kit.nn_former_cells import ASMA, attention_masks


def richest(graphs: Graphs, values: Tensor) -> int:
    """Index of the graph with the most nodes, then pairs of siblings, then kinds of operations, then largest value.

    ``values``: (n,), one a graph.
    """
    a = graphs.dense().adj.float()
    pairs = ((a @ a.mT + a.mT @ a) > 0).triu(1).flatten(1).sum(1)
    kinds = (op_counts(graphs) > 0).sum(1)
    keys = [column.tolist() for column in (graphs.n_nodes, pairs, kinds, values)]
    return max(range(len(graphs)), key=lambda i: [column[i] for column in keys])


def attention(predictor: base.BasePredictor, graph: Graphs) -> Tensor:
    """Weights of every block and head on one graph of N nodes, (blocks, heads, N, N), tokens left out.

    With tokens, which are looked at too, a row sums to less than one.
    """
    weights: list[Tensor] = []

    def record(module: ASMA, inputs: tuple) -> None:
        x, bias, packing = inputs
        (b, n), d = packing.shape, x.shape[-1]
        q, k, _ = packing.pad(module.qkv(x)).view(b, n, 3, module.heads, d // module.heads).permute(2, 0, 3, 1, 4)
        weights.append((q @ k.mT * (d // module.heads) ** -0.5 + bias).softmax(-1)[0])

    hooks = [block.attention.register_forward_pre_hook(record) for block in predictor.module.blocks]
    predictor.predict(graph)
    for hook in hooks:
        hook.remove()
    first = 2 if predictor.config.tokens else 0
    return torch.stack(weights)[:, :, first:, first:].cpu()


def table(weights: Tensor, graph: Graphs, mask_kinds: tuple[str, ...]) -> pl.DataFrame:
    """The rows of `weights` (blocks, heads, N, N)."""
    dense = graph.dense()
    kinds = [mask_kinds[head % len(mask_kinds)] for head in range(weights.shape[1])]
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


def main() -> int:
    """Command line: a cell, as `pipeline.train` takes it. Where it fails, the table is empty, its metadata say why."""
    parser = command.parser("python -m pipeline.train.attention")
    parser.description = __doc__.partition("\n")[0]
    args = parser.parse_args()
    spec = command.spec_of(args)

    def write_nothing(about: dict) -> None:
        io.write_parquet(args.out, pl.DataFrame(schema={"weight": pl.Float32}), about)
        command.report(args.out, about)

    def work(tell: Tell) -> None:
        tables, about = (
            Tables.read(args.data, args.split, spec.dataset, spec.seed),
            {"kind": "attention", "status": "ok"},
        )
        tell(about)
        try:
            write(args.out, spec, tables)
        except BenchError:
            raise
        except Exception as error:
            traceback.print_exc()
            write_nothing(about | {"status": "error", "message": described(error)})
        tell(None)

    return supervise(work, args.timeout, write_nothing)


def write(path: Path, spec: CellSpec, tables: Tables) -> None:
    """Train the cell with hard masks and write the table of its attention on one held-out network.

    Raises:
        BenchError: the networks have attributes, so that they are no cells.
    """
    graphs = from_frame(tables.frame, tables.meta)
    if graphs.attrs.shape[1]:
        raise BenchError(f"{spec.dataset}: networks with attributes are not drawn; give a data set of cells")
    labels = training_set.make(spec, tables.targets, tables.frame, tables.split)
    settings = {**spec.settings, "pretrain_steps": 0}
    predictor = base.load(spec.label)(settings, spec.task, spec.random_seed)
    predictor.fit(*graphs_and_labels(graphs, labels.rows))
    own = tables.targets.filter(target=spec.target, device=spec.device)
    held_out, values = graphs_and_labels(graphs, own.filter(pl.col("graph_id").is_in(labels.test.tolist())))
    chosen = richest(held_out, values)
    graph = held_out[chosen : chosen + 1]
    network = int(graph.graph_id)
    about = {
        "kind": "attention", "status": "ok",
        "dataset": spec.dataset, "dataset_version": tables.meta["version"], "target": spec.target,
        "predictor": spec.label, "config_hash": base.config_hash(predictor.config), "budget": str(spec.budget),
        "n_train": labels.n_train, "seed": spec.seed, "graph_id": network,
        "network": tables.frame.row(by_predicate=pl.col("graph_id") == network, named=True)["name"],
        "true": float(values[chosen]), "predicted": float(predictor.predict(graph)),
        "ops": [graphs.vocab[op] for op in graph.op.tolist()],
        "edges": torch.stack([graph.src, graph.dst], 1).tolist(), "host_cpu": provenance.cpu(),
        "torch_version": torch.__version__, "code_rev": provenance.code_rev(),
    }  # fmt: skip
    io.write_parquet(path, table(attention(predictor, graph), graph, predictor.config.masks), about)


if __name__ == "__main__":
    run_cli(main)
