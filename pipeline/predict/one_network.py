"""A saved predictor asked about one ONNX network."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from pipeline.onnx.columns import attribute_rows, op_ids, shape_rows
from pipeline.onnx.graph import INPUT, OnnxGraph
from pipeline.predict import tree_text
from pipeline.predict.saved import SHIPPED
from predictors import base
from predictors.base import BasePredictor
from predictors.kit import cost_table, kernels
from predictors.kit.ensemble import Ensemble

ZIPPED = "model.json.gz"  # in place of model.json, where that is long
ENSEMBLE = "ensemble.json"
MAX_BYTES = 2**24  # of it, unzipped
MAX_PLAIN = 2**29  # of a model.json
MAX_WEIGHTS = 2**30
MAX_NODES = 2**10  # of a flattened cell


def load(folder: Path, label: str) -> BasePredictor:
    """The predictor or ensemble saved under ``folder``, on the CPU.

    Raises:
        BenchError: the files are missing, broken or another predictor's.
    """
    kind = base.load(label)
    try:
        if not (folder / ENSEMBLE).exists() or (folder / ZIPPED).exists():
            return _restored(kind, folder)
        about = json.loads(io.read_bytes(folder / ENSEMBLE, MAX_BYTES))
        kind = base.load(about["predictor"])
        return Ensemble([_restored(kind, folder / str(i)) for i in range(about["ensemble"])])
    except BenchError:
        raise
    except Exception as error:  # weights of other shapes, notes of other code, words that are none
        what = str(error).partition("\n")[0]
        raise BenchError(f"{folder}: not a {label} of this version ({what}); train it again") from error


def _restored(kind: type[BasePredictor], folder: Path) -> BasePredictor:
    """As `BasePredictor.load`, from files that are checked; so are trees that are not of the package."""
    about, name = json.loads(_about(folder)), kind.__module__.rpartition(".")[2]
    if about.get("predictor") != name:
        raise BenchError(f"{folder}: holds a {about.get('predictor')}, not a {name}; train it again")
    tensors = safetensors.torch.load(io.read_bytes(folder / "model.safetensors", MAX_WEIGHTS))
    if not 0 < about["config"].get("max_nodes", 1) <= MAX_NODES:
        raise ValueError(f"max_nodes is not within 1 and {MAX_NODES:,}")
    predictor = kind(about["config"], about["task"], about["seed"], "cpu")
    own = SHIPPED in folder.parents  # part of the package, trusted as its code is
    predictor.tensors, predictor.notes = tensors, about["notes"] if own else tree_text.checked_notes(about["notes"])
    predictor.restored()
    return predictor


def _about(folder: Path) -> bytes:
    if not (folder / ZIPPED).exists():
        return io.read_bytes(folder / "model.json", MAX_PLAIN)
    with gzip.open(BytesIO(io.read_bytes(folder / ZIPPED, MAX_BYTES))) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{ZIPPED} holds more than {MAX_BYTES:,} bytes")
    return content


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


def node_times(predictor: BasePredictor, graphs: Graphs, total: float) -> tuple[np.ndarray, list[str]] | None:
    """What each node takes of ``total``, (n,), by the predictor's table of costs, and which of its kinds of operation
    each is; None where it has no table."""
    if not has_node_costs(predictor):
        return None
    kind, names = kernels.node_kinds(graphs)
    costs = cost_table.node_costs(predictor.notes["table"], graphs).numpy()
    shares = costs / costs.sum() if costs.sum() > 0 else np.full(len(costs), 1 / len(costs))
    return total * shares, [names[i] for i in kind]


def needs_known_operations(predictor: BasePredictor, graph: Graphs) -> bool:
    """Whether the predictor answers otherwise, or not at all, when the vocabulary has one more operation at its end.

    Those that count operations by position do; those that go by names take operations they never saw.
    """
    try:
        wider = predictor.predict(replace(graph, vocab=(*graph.vocab, "Unheard")))
    except Exception:
        return True
    return not torch.allclose(wider, predictor.predict(graph), rtol=1e-4)
