"""The kept table, going on with it, and looking up a data set's networks in it."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.proxies import measures, run, table
from pipeline.proxies.networks import Skeleton
from pipeline.spaces import cells

KEPT = ROOT / "data/kept/proxies/nasbench201.parquet"
TINY = Skeleton(channels=2, cells=1, size=8, batch=3)


@pytest.fixture(scope="module")
def kept() -> pl.DataFrame:
    return io.read_parquet(KEPT)


def test_the_kept_table_has_its_known_facts_and_is_small(kept):
    table.known_facts(kept, KEPT)
    assert KEPT.stat().st_size < 1.5e6
    about = io.read_meta(KEPT)
    assert about == {"space": "nasbench201", "seed": run.SEED, "skeleton": Skeleton()._asdict()}


def test_the_kept_table_is_what_the_code_computes(kept):
    """Three functions again: to what another machine may round."""
    chosen = {function: cell for i, (function, cell) in enumerate(run.functions().items()) if i in (7, 2000, 5000)}
    again = pl.DataFrame(run.rows(chosen, Skeleton()), schema=run.SCHEMA).select("function", *measures.NAMES)
    both = again.join(kept, on="function")
    assert both.height == 3
    for name in measures.NAMES:
        assert both[name].to_list() == pytest.approx(both[f"{name}_right"].to_list(), rel=0.02, abs=0.02), name


@pytest.mark.parametrize("spoil", ["a row less", "a column less", "unrelated"])
def test_a_spoilt_table_is_refused(kept, spoil):
    spoilt = {
        "a row less": lambda: kept.head(-1),
        "a column less": lambda: kept.drop("zen"),
        "unrelated": lambda: kept.with_columns(synflow=-pl.col("synflow")),
    }[spoil]()
    with pytest.raises(BenchError, match="delete it"):
        table.known_facts(spoilt, KEPT)


def test_cells_of_one_function_have_the_same_proxies_and_networks_of_other_operations_none(kept):
    direct, by_skip = (
        ("none", "none", "none", "nor_conv_3x3", "none", "none"),
        ("skip_connect", "none", "none", "none", "nor_conv_3x3", "none"),
    )
    found = [cells.cell_201(ops) for ops in (direct, by_skip)]
    graphs = cells.graphs_frame(["a", "b"], "nasbench201", found, cells.VOCAB_201)
    proxies = table.look_up(graphs, list(cells.VOCAB_201), kept)
    assert proxies.columns == ["graph_id", *measures.NAMES]
    assert proxies.row(0)[1:] == proxies.row(1)[1:]
    assert table.look_up(graphs, ["input", "output", "another"], kept).columns == ["graph_id"]


def test_a_killed_run_goes_on_with_the_portions_it_left(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PORTION", 2)
    some = dict(list(run.functions().items())[:5])
    out = tmp_path / "proxies.parquet"
    computed = []
    monkeypatch.setattr(run, "proxies", counted(computed, stop_after=3))
    with pytest.raises(KeyboardInterrupt):
        run.compute(some, TINY, out)
    assert not out.exists() and len(computed) == 3
    monkeypatch.setattr(run, "proxies", counted(computed, stop_after=99))
    whole = run.compute(some, TINY, out)
    assert len(computed) == 3 + 3  # the first portion was whole; one network of the second is done again
    assert whole["function"].to_list() == list(some) and io.read_parquet(out).equals(whole)
    assert list(tmp_path.iterdir()) == [out]


def counted(computed: list, stop_after: int):
    def proxies(network, skeleton, seed):
        if len(computed) >= stop_after:
            raise KeyboardInterrupt
        computed.append(network)
        return measures.proxies(network, skeleton, seed)

    return proxies
