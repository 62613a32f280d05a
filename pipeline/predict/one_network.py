"""A saved predictor asked about one ONNX network."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from pipeline.onnx.columns import attribute_rows, op_ids, shape_rows
from pipeline.onnx.graph import INPUT, OnnxGraph
from predictors import base
from predictors.base import BasePredictor
from predictors.kit import cost_table
from predictors.kit.ensemble import Ensemble

ZIPPED = "model.json.gz"  # in place of model.json, where that is long
MAX_BYTES = 2**24  # of it, unzipped


def load(folder: Path, label: str) -> BasePredictor:
    """The predictor or ensemble saved under ``folder``, on the CPU.

    Raises:
        BenchError: the files are missing, broken or another predictor's.
    """
    kind = base.load(label)
    try:
        if (folder / ZIPPED).is_file():
            return _load_zipped(kind, folder)
        return Ensemble.load(folder) if (folder / "ensemble.json").is_file() else kind.load(folder)
    except BenchError:
        raise
    except Exception as error:  # weights of other shapes, notes of other code, words that are none
        what = str(error).partition("\n")[0]
        raise BenchError(f"{folder}: not a {label} of this version ({what}); train it again") from error


def _load_zipped(kind: type[BasePredictor], folder: Path) -> BasePredictor:
    with gzip.open(folder / ZIPPED) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{ZIPPED} holds more than {MAX_BYTES:,} bytes")
    with tempfile.TemporaryDirectory() as plain:
        (Path(plain) / "model.json").write_bytes(content)
        shutil.copy(folder / "model.safetensors", plain)
        return kind.load(Path(plain))


@lru_cache(maxsize=2)  # the two forms of a network, for each of several predictors
def as_graphs(network: OnnxGraph, vocab: tuple[str, ...], attr_names: tuple[str, ...]) -> Graphs:
    """``network`` as one graph over the columns of a data set, on a platform without a name; operations outside
    ``vocab`` are added behind it."""
    unseen = sorted(set(network.ops).difference(vocab))
    vocab = (*vocab, *unseen)
    nodes, edges = len(network.ops), len(network.src)

    def total(costs: np.ndarray) -> torch.Tensor:
        return torch.tensor([costs.sum()], dtype=torch.float64)

    return Graphs(
        vocab=vocab,
        attr_names=attr_names,
        platforms=("",),
        platform=torch.zeros(1, dtype=torch.long),
        graph_id=torch.zeros(1, dtype=torch.long),
        iso=torch.zeros(1, dtype=torch.long),
        flops=total(network.flops),
        macs=total(network.macs),
        params=total(network.params),
        node_ptr=torch.tensor([0, nodes]),
        op=torch.from_numpy(op_ids(network, vocab).astype(np.int64)),
        attrs=torch.from_numpy(attribute_rows(network, attr_names)),
        out_shape=torch.from_numpy(shape_rows(network)),
        edge_ptr=torch.tensor([0, edges]),
        src=torch.from_numpy(network.src),
        dst=torch.from_numpy(network.dst),
    )


def predict(predictor: BasePredictor, graphs: Graphs, vocab: Sequence[str] | None = None) -> float:
    """The prediction of one network, in original units.

    With ``vocab`` the predictor has a place for its operations alone. One that multiplies a table of costs answers all
    the same: the table has a cost for any other operation, and the multiple is that of the network without them.
    """
    if vocab is None or len(vocab) == len(graphs.vocab):
        return float(predictor.predict(graphs)[0])
    other = graphs.op >= len(vocab)
    known = replace(graphs, vocab=tuple(vocab), op=graphs.op.masked_fill(other, vocab.index(INPUT)))
    table = predictor.notes["table"]
    ratio = predictor.predict(known) / cost_table.cost(table, known)
    return float(ratio[0] * cost_table.cost(table, graphs)[0])


def has_node_costs(predictor: BasePredictor) -> bool:
    """Whether the predictor answers with multiples of a table of costs of nodes."""
    return "nodes" in predictor.notes.get("table", {})


def node_times(predictor: BasePredictor, graphs: Graphs, total: float) -> np.ndarray | None:
    """What each node takes of ``total``, (n,), by the predictor's table of costs; None where it has none."""
    if not has_node_costs(predictor):
        return None
    costs = cost_table.node_costs(predictor.notes["table"], graphs).numpy()
    return total * (costs / costs.sum() if costs.sum() > 0 else np.full(len(costs), 1 / len(costs)))


def needs_known_operations(predictor: BasePredictor, graph: Graphs) -> bool:
    """Whether the predictor answers otherwise, or not at all, when the vocabulary has one more operation at its end.

    Those that count operations by position do; those that go by names take operations they never saw.
    """
    try:
        wider = predictor.predict(replace(graph, vocab=(*graph.vocab, "Unheard")))
    except Exception:
        return True
    return not torch.allclose(wider, predictor.predict(graph), rtol=1e-4)
