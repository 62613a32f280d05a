"""Readings that cannot be: what the rule marks, and that it refuses to mark many."""

import numpy as np
import polars as pl
import pytest

from pipeline.convert import _common, _faulty
from pipeline.core import schema
from pipeline.core.errors import BenchError
from pipeline.spaces import cells

CONNECTED = cells.format_arch(("nor_conv_3x3",) * 6)
NOTHING = cells.format_arch(("none",) * 6)
N = 200


def marked(values, names=None):
    names = [CONNECTED] * (N - 1) + [NOTHING] if names is None else names
    return _faulty.mark("x", names, _common.target_frame("latency_ms", "phone", values))


def test_a_latency_far_below_every_network_that_runs_is_marked_and_kept():
    table = marked([44.0] * (N - 1) + [0.99])
    assert table.columns == [*schema.TARGETS, "faulty"]
    assert table.filter("faulty")["graph_id"].to_list() == [N - 1] and table.height == N
    schema.check_targets(table, N)
    assert _faulty.counts(table) == {("latency_ms", "phone"): 1}


def test_a_table_without_faulty_labels_is_as_it_was():
    table = marked([44.0] * (N - 1) + [1.01])
    assert table.columns == list(schema.TARGETS) and _faulty.counts(table) == {}


def test_a_rule_that_takes_many_labels_is_refused():
    names = [CONNECTED] * (N - 3) + [NOTHING] * 3
    with pytest.raises(BenchError, match="a device with over 1% faulty labels"):
        marked([44.0] * (N - 3) + [0.1] * 3, names)


@pytest.mark.real_data
def test_the_same_cells_of_two_devices_are_faulty_at_every_input_size(converted):
    graphs, targets = converted("hwnasbench")
    rows = targets.filter("faulty").group_by("target", "device").agg(pl.col("graph_id").sort())
    assert rows.height == 6 and len({tuple(ids) for ids in rows["graph_id"]}) == 1
    shares = targets.group_by("target", "device").agg(pl.col("faulty").mean())
    assert shares["faulty"].max() < 0.01
    for graph_id in rows["graph_id"][0]:
        name = graphs["name"][graph_id]
        assert not cells.cell_201(cells.parse_arch(name)).edges
    both = converted("help_nasbench201")
    names = {device: set(graphs["name"][rows["graph_id"][0].to_list()]) for device in ("raspi4", "pixel3")}
    for device, expected in names.items():
        found = both[1].filter("faulty", device=device).join(both[0], on="graph_id")["name"]
        assert set(found) == expected


@pytest.mark.real_data
def test_devices_of_the_other_sets_have_no_such_readings(converted):
    for name in ("help_fbnet", "help_ofa", "oneproxy_nasbench201"):
        targets = converted(name)[1]
        lowest = targets.group_by("device").agg((pl.col("value").min() / pl.col("value").median()).alias("share"))
        assert np.min(lowest["share"].to_numpy()) > 0.2
