"""NN-Former (Xu et al., CVPR 2025, arXiv 2507.00880): how it is built and trained; the models are in kit."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from pipeline.core.errors import BenchError
from pipeline.core.graphs import Dense, Graphs
from predictors.base import Unsupported
from predictors.kit import cost_table
from predictors.kit.encodings import laplacian_encoding
from predictors.kit.neural import NeuralPredictor
from predictors.kit.nn_former_cells import NNFormer, attention_masks
from predictors.kit.nn_former_latency import Networks
from predictors.kit.nn_former_settings import LATENCY, LATENCY_QUICK, MASKS, PAPER, RELEASED, RELEASED_LATENCY, Settings


class Predictor(NeuralPredictor):
    """NN-Former: for cells here, for ONNX graphs by the latency model of `predictors.kit.nn_former_latency`.

    Presets: ``released``: the released accuracy model and how it is trained (12 layers of 160, class and depth tokens,
    accuracies as fractions, MSE plus differences, every sample twice in its batch with a loss on how the two passes
    differ, 3000 epochs of batches of one size). Its sibling heads see every node, as in the code, where the tokens make
    all nodes siblings; with labels for validation the best of 600 sets of averaged weights is kept, as there. It
    departs in how a batch's differences are paired, and in averages that begin faster. ``paper``: the same with the
    paper's sibling masks, formed before the tokens are added, and every sample once: as the model sees no order of
    nodes, the two passes differ by dropout alone.
    The default has the paper's masks, tokens and feed-forward; it departs in size, in what the released model has
    beside these (`Settings.published`), and in its recipe, the common one (`kit.train_loop`), with pre-training. For
    costs of cells it multiplies a table of costs (as `layerwise`), so that it learns only what a sum over operations
    leaves out.
    For ONNX graphs: ``latency``, recommended (dim 128, no dropout, averaged weights; on one platform it multiplies the
    nodes' entries of a table of costs); ``latency_quick``, one layer of 64 and 300 steps of it; and
    ``released_latency``: the released latency model and optimiser (dim 512, dropout, second pass, 50 epochs).
    """

    transfers: ClassVar[bool] = True
    takes_proxies: ClassVar[bool] = True
    takes_tags: ClassVar[bool] = True

    Config = Settings
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": PAPER,
        "released": RELEASED,
        "latency": LATENCY,
        "latency_quick": LATENCY_QUICK,
        "released_latency": RELEASED_LATENCY,
    }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        c = self.config
        unknown = set(c.masks) - {*MASKS, "global"}
        if unknown or not c.masks or c.heads % len(c.masks) or c.dim % c.heads:
            raise BenchError(
                f"nn_former: {len(c.masks)} masks {c.masks}, {c.heads} heads, dim {c.dim}: masks must divide "
                f"heads, heads must divide dim; masks: {', '.join(MASKS)}, global"
            )
        if c.ffn not in ("both", "adj", "adj_t", "plain"):
            raise BenchError(f"nn_former: ffn {c.ffn!r} must be both, adj, adj_t or plain")

    def fit(self, train: Graphs, y: Tensor, val: Graphs | None = None, y_val: Tensor | None = None) -> None:
        if "tags" in self.needs and (self.task == "cost" or not train.attrs.shape[1]):
            raise Unsupported("tags are for accuracies of ONNX graphs")
        if not train.attrs.shape[1]:
            own = train.platform == len(train.platforms) - 1
            train, y = train if own.all() else train[own], y[own]
            if self.task == "cost" and self.config.table:
                self.notes["table"] = cost_table.learn(train, y)
                y, y_val = cost_table.multiples(self.notes["table"], train, y, val, y_val)
            super().fit(train, y, val, y_val)
            return
        self.networks = self._latency_model()
        self.networks.checkpoint = self.checkpoint
        self.networks.fit(train, y, val, y_val)
        self.tensors, self.notes = self.networks.tensors, self.networks.notes

    def predict(self, graphs: Graphs) -> Tensor:
        if "platforms" in self.notes:
            return self.networks.predict(graphs)
        ratio = super().predict(graphs)
        return ratio * cost_table.cost(self.notes["table"], graphs) if "table" in self.notes else ratio

    def restored(self) -> None:
        if "platforms" not in self.notes:
            super().restored()
            return
        self.networks = self._latency_model()
        self.networks.tensors, self.networks.notes = self.tensors, self.notes
        self.networks.restored()

    def _latency_model(self) -> NeuralPredictor:
        return Networks(asdict(self.config), self.task, self.seed, self.torch_device)

    def recipe(self, n: int) -> Settings:
        """Costs take at most ``cost_steps``, and no more than 100 and one a label."""
        recipe = super().recipe(n)
        return replace(recipe, steps=min(self.config.cost_steps, 100 + n)) if self.task == "cost" else recipe

    def standardise(self, y: Tensor) -> tuple[float, float]:
        """As published, accuracies are learned as fractions less a half."""
        return (50.0, 100.0) if self.config.published and self.task == "accuracy" else super().standardise(y)

    def build(self, n_ops: int) -> nn.Module:
        module = NNFormer(n_ops, self.config)
        if self.task == "cost" and self.config.table:  # at first the table alone answers
            nn.init.zeros_(module.head.weight)
            nn.init.zeros_(module.head.bias)
        return module

    def encode(self, dense: Dense) -> tuple[Tensor, ...]:
        head_masks = attention_masks(dense.adj, dense.mask, self.config.masks)
        tensors = (dense.op, dense.adj, head_masks, dense.mask)
        if self.config.laplacian:
            tensors += (laplacian_encoding(dense.adj, dense.mask, self.config.laplacian),)
        return tensors
