"""Operations off every path have names of their own, for any predictor that asks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import overrides
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.core.graphs import from_frame
from pipeline.spaces import cells
from predictors.base import Unsupported
from predictors.kit.ensemble import make
from predictors.kit.off_path import MARKS, OffPath, least_relative_error, marked, without_input
from tests.helpers.cell_graphs import synthetic_labels
from tests.helpers.trained import short, space

GRAPHS = space("cells").graphs
CONV = "nor_conv_3x3"


def cell(*ops: str):
    """A NAS-Bench-201 cell as executed; c, s and - stand for 3x3, skip and none."""
    names = {"c": CONV, "s": "skip_connect", "-": "none"}
    arch = cells.format_arch([names[op] for op in ops])
    graph = cells.cell_201(cells.parse_arch(arch), executed=True)
    meta = {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0, "dataset": "d", "version": "v"}
    frame = cells.graphs_frame([arch], "nasbench201", [graph], cells.VOCAB_201)
    schema.check_graphs(frame, meta)
    return from_frame(frame, meta)


def names(graphs) -> list[str]:
    seen = marked(graphs)
    return [seen.vocab[i] for i in seen.op.tolist()]


def test_each_operation_is_named_by_its_paths():
    """Edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
    assert names(cell(*"ccsccs")) == ["input", CONV, CONV, "skip_connect", CONV, CONV, "skip_connect", "output"]
    assert names(cell(*"c--c--")) == ["input", f"{CONV} for no output", CONV, "output"]
    assert names(cell(*"---cc-")) == ["input", CONV, f"{CONV} of no input", "output"]
    assert names(cell(*"--cc--")) == ["input", f"{CONV} apart", CONV, "output"]
    assert names(cell(*"c-----")) == ["input for no output", f"{CONV} for no output", "output of no input"]


def test_the_graphs_stay_as_they_were():
    seen = marked(GRAPHS)
    assert len(seen.vocab) == len(set(seen.vocab)) == len(MARKS) * len(GRAPHS.vocab)
    assert torch.equal(seen.op % len(GRAPHS.vocab), GRAPHS.op) and torch.equal(seen.src, GRAPHS.src)
    order = torch.arange(len(GRAPHS)).flip(0)
    assert torch.equal(marked(GRAPHS[order]).op, seen[order].op)


@pytest.mark.parametrize("name", ["gbdt", "layerwise", "nn_former", "shared_backbone"])
def test_any_predictor_takes_it(name):
    y = synthetic_labels(GRAPHS, "cost")
    made = make(name, {**short(name), "off_path": True}, "cost", 3)
    made.fit(GRAPHS[:40], y[:40])
    alone = make(name, short(name), "cost", 3)
    alone.fit(marked(GRAPHS[:40]), y[:40])
    assert torch.equal(made.predict(GRAPHS), alone.predict(marked(GRAPHS))) and made.n_params == alone.n_params
    assert made.config.off_path and made.transfers == alone.transfers


def test_cells_without_input_that_cost_next_to_nothing_are_answered_apart():
    graphs = GRAPHS
    apart = without_input(graphs)
    assert apart.any() and not apart.all()
    y = synthetic_labels(graphs, "cost")
    folded = torch.where(apart, y.min() * torch.linspace(0.01, 0.02, len(y)), y)
    made, alone = make("layerwise", {"off_path": True}, "cost", 0), make("layerwise", {}, "cost", 0)
    made.fit(graphs, folded)
    alone.fit(marked(graphs[~apart]), y[~apart])
    said = made.predict(graphs)
    assert (said[apart] == least_relative_error(folded[apart])).all() and made.n_params == alone.n_params + 1
    assert torch.equal(said[~apart], alone.predict(marked(graphs[~apart])))
    made.fit(graphs, y)  # where they cost what others cost, all are learned alike
    alone.fit(marked(graphs), y)
    assert torch.equal(made.predict(graphs), alone.predict(marked(graphs)))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_no_other_number_has_a_smaller_relative_error(values):
    y = torch.tensor(values, dtype=torch.float64)

    def error(number):
        return (number / y - 1).abs().mean()

    best = error(least_relative_error(y))
    assert all(best <= error(other) + 1e-12 for other in [*y, *(y[:-1] + y[1:]) / 2])


def test_what_it_can_t_be_is_one_line(tmp_path):
    with pytest.raises(BenchError, match="gbdt-x.off_path: 1 is neither true nor false"):
        overrides.check("gbdt-x", {"off_path": 1})
    assert not isinstance(make("gbdt", {"off_path": False}, "cost", 0), OffPath)
    with pytest.raises(BenchError, match="is for cells and is not saved"):
        make("gbdt", {"off_path": True}, "cost", 0).save(tmp_path)
    with pytest.raises(Unsupported, match="off_path is for cells"):
        marked(space("networks").graphs)
