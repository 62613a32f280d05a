"""Which labels a cell trains on: every kind of budget, with and without sources, on a hand-made table."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.config import references
from pipeline.config.budget import Sources
from pipeline.config.cell_spec import CellSpec
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.split import splits
from pipeline.split.training_set import make

N = 20
GRAPHS = pl.DataFrame({"graph_id": range(N), "family": ["vgg"] * 8 + ["resnet"] * 12}).cast({"graph_id": pl.UInt32})
SPLIT = splits.make_split(N, "hand_made", 0, test=0.2)
POOL = SPLIT.filter(pl.col("role") == "pool").sort("rank")["graph_id"].to_list()


def labels(devices=("phone", "server"), missing=()) -> pl.DataFrame:
    rows = [
        (g, "latency_ms", device, 10.0 * g + i, "test" if g % 5 == 0 else "train")
        for i, device in enumerate(devices)
        for g in range(N)
        if (g, device) not in missing
    ]
    frame = pl.DataFrame(rows, schema=["graph_id", "target", "device", "value", "stage"], orient="row")
    return frame.cast({"graph_id": schema.TARGETS["graph_id"]})


def trained(budget, sources=None, device="phone", table=None):
    spec = CellSpec.from_values("hand_made", "latency_ms", "mean", budget, device=device, sources=sources)
    return make(spec, labels() if table is None else table, GRAPHS, SPLIT)


def test_sizes_are_prefixes_of_the_pool():
    assert trained("n5").rows["graph_id"].to_list() == POOL[:5]
    assert trained("0.25").rows["graph_id"].to_list() == POOL[:5]
    assert trained("n3").rows["value"].to_list() == [10.0 * g for g in POOL[:3]]
    assert set(trained("n5").test) == set(SPLIT.filter(pl.col("role") == "test")["graph_id"].to_list())
    assert trained("n5").val_rows.is_empty()


def test_validation_labels_are_the_next_of_the_pool():
    both = trained("n5-val3")
    assert both.rows["graph_id"].to_list() == POOL[:5] and both.n_train == 5
    assert both.val_rows["graph_id"].to_list() == POOL[5:8]
    assert both.val_rows["value"].to_list() == [10.0 * g for g in POOL[5:8]]
    with pytest.raises(BenchError, match="ask for fewer"):
        trained(f"n5-val{N}")


def test_a_graph_without_a_label_is_passed_over():
    table = labels(missing={(POOL[0], "phone")})
    assert trained("n5", table=table).rows["graph_id"].to_list() == POOL[1:6]


def test_stage_marks():
    marked = trained("stage")
    assert marked.test.tolist() == [0, 5, 10, 15]
    assert sorted(marked.rows["graph_id"]) == [g for g in range(N) if g % 5]
    assert marked.rows["device"].unique().to_list() == ["phone"]


def test_a_family_is_left_out_whole():
    without = trained("without-vgg")
    assert without.test.tolist() == list(range(8))
    assert without.rows["graph_id"].to_list() == list(range(8, N))


def test_sources_come_first_and_never_see_held_out_graphs():
    sources = Sources(("server", "phone"), 6)
    both = trained("n2", sources)
    assert both.rows["device"].to_list() == ["server"] * 6 + ["phone"] * 2
    assert both.rows["graph_id"].to_list() == POOL[:6] + POOL[:2]
    assert (both.n_train, both.n_source) == (2, 6)
    every = trained("n2", Sources(("server",), None))
    assert every.n_source == len(POOL)
    assert not set(every.rows["graph_id"]) & set(every.test)
    staged = trained("stage", Sources(("server",), None))
    assert not set(staged.rows["graph_id"]) & set(staged.test)


def test_helps_references_lead_every_pool_and_are_not_held_out(monkeypatch):
    held_out, pooled = sorted(set(range(N)) - set(POOL))[0], POOL[4]
    monkeypatch.setitem(references.REFERENCES, "hand_made", (held_out, pooled))
    rest = [g for g in POOL if g != pooled]
    both = trained("n3-help", Sources(("server",), 5))
    assert both.rows["graph_id"].to_list() == [held_out, pooled, *rest[:3], held_out, pooled, rest[0]]
    assert set(both.test) == set(trained("n3").test) - {held_out} and len(both.test) == 3
    table = labels(missing={(pooled, "phone")})
    assert trained("n3-help", table=table).rows["graph_id"].to_list() == [held_out, *rest[:2]]


def test_sources_survive_their_text():
    sources = Sources(("a", "b"), 900)
    assert Sources.parse(sources.dump()) == sources
    assert Sources.parse("{}") is None
    assert Sources(("a",), None).hash != Sources(("a",), 900).hash != sources.hash


@pytest.mark.parametrize(
    ("budget", "device", "message"),
    [
        ("n900", "phone", "ask for fewer"),
        ("without-alexnet", "phone", "nothing is held out"),
        ("n3", "toaster", "toaster|ask for fewer"),
        ("stage", "toaster", "toaster"),
    ],
)
def test_impossible_sets_are_one_clear_error(budget, device, message):
    with pytest.raises(BenchError, match=message):
        trained(budget, device=device)


def test_faulty_labels_are_passed_over_unless_the_budget_takes_them():
    faulty = [g in (POOL[0], POOL[2]) for g in range(N)]
    table = labels(devices=("phone",)).with_columns(faulty=pl.Series(faulty))
    assert trained("n3", table=table).rows["graph_id"].to_list() == [POOL[1], POOL[3], POOL[4]]
    assert trained("n3-faulty", table=table).rows["graph_id"].to_list() == POOL[:3]
