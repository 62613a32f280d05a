"""A saved predictor asked about one ONNX network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Graphs
from pipeline.onnx.columns import attribute_rows, op_ids, shape_rows
from pipeline.onnx.graph import OnnxGraph
from predictors import base
from predictors.base import BasePredictor
from predictors.kit.ensemble import Ensemble


def load(folder: Path, label: str) -> BasePredictor:
    """The predictor or ensemble saved under ``folder``, on the CPU.

    Raises:
        BenchError: the files are missing, broken or another predictor's.
    """
    kind = base.load(label)
    try:
        return Ensemble.load(folder) if (folder / "ensemble.json").is_file() else kind.load(folder)
    except BenchError:
        raise
    except Exception as error:  # weights of other shapes, notes of other code, words that are none
        what = str(error).partition("\n")[0]
        raise BenchError(f"{folder}: not a {label} of this version ({what}); train it again") from error


def as_graphs(network: OnnxGraph, vocab: Sequence[str], attr_names: Sequence[str], device: str) -> Graphs:
    """``network`` as one graph over the columns of a data set; operations outside ``vocab`` are added behind it."""
    unseen = sorted(set(network.ops).difference(vocab))
    vocab = (*vocab, *unseen)
    nodes, edges = len(network.ops), len(network.src)

    def total(costs: np.ndarray) -> torch.Tensor:
        return torch.tensor([costs.sum()], dtype=torch.float64)

    return Graphs(
        vocab=vocab,
        attr_names=tuple(attr_names),
        platforms=(device,),
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


def predict(predictor: BasePredictor, graphs: Graphs) -> float:
    """The prediction of one network, in original units."""
    return float(predictor.predict(graphs)[0])


def needs_known_operations(predictor: BasePredictor, graph: Graphs) -> bool:
    """Whether the predictor answers otherwise, or not at all, when the vocabulary has one more operation at its end.

    Those that count operations by position do; those that go by names take operations they never saw.
    """
    try:
        wider = predictor.predict(replace(graph, vocab=(*graph.vocab, "Unheard")))
    except Exception:
        return True
    return not torch.allclose(wider, predictor.predict(graph), rtol=1e-4)
