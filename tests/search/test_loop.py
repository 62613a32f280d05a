"""The loop: the same start for all, failures go on at random and are said, killed runs go on, bad input is one line."""

import dataclasses
import os
import shutil

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline.config import search_grid
from pipeline.convert import _common
from pipeline.core import io, table_checks
from pipeline.core.errors import BenchError
from pipeline.score import search as numbers
from pipeline.search import command, loop, methods, space
from pipeline.spaces import cells

FAULTY, MISSING = 3, 5  # places in the table of costs
ARCHS = [
    cells.format_arch(tuple(cells.OPS_201[i // 5**k % 5] for k in range(6)))
    for i in np.random.default_rng(0).permutation(cells.N_CELLS_201)[:625].tolist()
]
SMALL = {
    "seeds": 2, "start": 5, "budgets": [10, 25], "batches": [{"from": 0, "size": 4}], "sample": 100,
    "spaces": {"nasbench201": {"query": "val_acc", "report": ["test_acc", "cifar10_test_acc"]}},
    "methods": {"random": {"by": "random"}, "evolution": {"by": "evolution"}, "op_counts": {"predictor": "op_counts"}},
}  # fmt: skip


LIMIT = {"dataset": "hwnasbench", "target": "cifar10_latency_ms", "device": "edgegpu", "share": 0.25}
LIMITED = {"dataset": "nasbench201", "query": "val_acc", "report": ["test_acc"], "limit": LIMIT}
COST = {key: LIMIT[key] for key in ("dataset", "target", "device")}
WARM = {"predictor": "mlp", "settings": {"ensemble": 2}, "warm_steps": 5}
ONE_SPACE = {"twice": {"by": "random", "spaces": ["nasbench201"]}}
FRONT = {"dataset": "nasbench201", "query": "val_acc", "report": ["test_acc"], "front": COST}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of tables: 625 NAS-Bench-201 cells with made-up accuracies."""
    folder = tmp_path_factory.mktemp("data")
    drawn = [cells.cell_201(cells.parse_arch(arch)) for arch in ARCHS]
    frame = cells.graphs_frame(ARCHS, "nasbench201", drawn, cells.VOCAB_201)
    counted = np.array([float(cell.labels.count("nor_conv_3x3")) for cell in drawn])
    parts = []
    for i, target in enumerate(("val_acc", "test_acc", "cifar10_test_acc")):
        values = 50 + counted + np.random.default_rng(i).normal(0, 0.3, len(ARCHS))
        parts.append(_common.target_frame(target, "any", values))
    meta = {"op_vocab": list(cells.VOCAB_201), "attr_names": [], "out_shape_rank": 0, "version": "1"}
    table_checks.publish(folder / "parquet/nasbench201", frame, meta | {"dataset": "nasbench201"}, pl.concat(parts))
    # Each 3x3 convolution takes 1 ms and a 1x1 half of one; in another order, one is faulty and one was not measured.
    cost = np.array([1 + sum({"nor_conv_3x3": 1.0, "nor_conv_1x1": 0.5}.get(op, 0) for op in c.labels) for c in drawn])
    order = np.arange(len(ARCHS))[::-1]
    theirs = frame[order].with_columns(graph_id=pl.int_range(pl.len(), dtype=pl.UInt32))
    rows = _common.target_frame("cifar10_latency_ms", "edgegpu", cost[order])
    rows = rows.filter(pl.col("graph_id") != MISSING).with_columns(faulty=pl.col("graph_id") == FAULTY)
    table_checks.publish(folder / "parquet/hwnasbench", theirs, meta | {"dataset": "hwnasbench"}, rows)
    return folder


def grid_of(tmp_path, **changes) -> search_grid.SearchGrid:
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(SMALL | changes, sort_keys=False))
    return search_grid.load(path)


def run(grid, data, name, seed=0) -> tuple[loop.Trace, space.Labels]:
    networks, labels, _ = space.read(grid.tasks["nasbench201"], data)
    return loop.run(grid, grid.methods[name], networks, labels, seed), labels


def test_a_limit_is_a_quantile_of_sound_costs_found_by_name(tmp_path, data):
    grid = grid_of(tmp_path, spaces={"s": LIMITED})
    _, labels, _ = space.read(grid.tasks["s"], data)
    assert np.flatnonzero(~np.isfinite(labels.cost)).tolist() == [624 - MISSING, 624 - FAULTY]
    ops = [arch.count("nor_conv_3x3") + 0.5 * arch.count("nor_conv_1x1") for arch in ARCHS]
    sound = np.isfinite(labels.cost)
    assert (labels.cost[sound] <= 1 + np.array(ops)[sound]).all()  # dead operations are no nodes
    assert labels.limit == np.quantile(labels.cost[sound], 0.25)


def test_what_is_above_the_limit_is_no_choice_by_hand():
    labels = space.Labels(np.array([90.0, 95.0, 80.0]), np.array([91.0, 99.0, 70.0]), np.array([2.0, 8.0, 3.0]), 4.0)
    assert labels.allowed.tolist() == [True, False, True]
    assert labels.value.tolist() == [90.0, -2.0, 80.0]
    assert labels.judged.tolist() == [91.0, 70.0, 70.0]
    assert labels.floor == 0


def test_a_search_under_a_limit_learns_where_it_lies(tmp_path, data):
    """Few 3x3 convolutions are allowed and many are accurate: what a predictor proposes is mostly allowed."""
    grid = grid_of(tmp_path, spaces={"s": LIMITED})
    networks, labels, _ = space.read(grid.tasks["s"], data)
    taken = {
        name: labels.allowed[loop.run(grid, grid.methods[name], networks, labels, 0).networks[5:]].mean()
        for name in ("random", "op_counts")
    }
    assert taken["op_counts"] > 1.5 * taken["random"]
    out = tmp_path / "out"
    command.run_all(grid, [("s", name) for name in grid.methods], data, out)
    frame, about = numbers.score(grid, out)
    assert about["spaces"]["s"]["limit"] == labels.limit
    assert about["spaces"]["s"]["networks"] == labels.allowed.sum() < 625
    regret = frame.filter(pl.col("metric") == "regret", pl.col("queries") == 25)
    assert regret["value"].min() >= 0


def test_a_search_for_a_front_is_judged_by_its_hypervolume(tmp_path, data):
    grid = grid_of(tmp_path, spaces={"s": FRONT, **SMALL["spaces"]}, methods=SMALL["methods"] | ONE_SPACE)
    out = tmp_path / "out"
    command.run_all(grid, grid.pairs, data, out)
    frame, about = numbers.score(grid, out)
    found = numbers.Searches(frame, about)
    assert found.fronts == ["s"] and found.choices == ["nasbench201"]
    assert found.methods_of("s") == list(SMALL["methods"]) and found.methods_of("nasbench201") == list(grid.methods)
    mean = {name: found.interval("s", name, 25, "hypervolume").mean for name in found.methods_of("s")}
    assert 0 < mean["random"] < mean["op_counts"] <= 1
    assert found.lead("s", "op_counts", "random", 25, "hypervolume").difference.mean > 0
    facts = about["spaces"]["s"]
    assert not found.by_seed("s", "random", 25) and facts["networks"] == 625 and set(facts["found"]) == set(mean)


def test_a_search_by_hand(tmp_path, data):
    grid = grid_of(tmp_path)
    traces = {name: run(grid, data, name)[0] for name in grid.methods}
    for trace in traces.values():
        assert len(set(trace.networks)) == 25 and not trace.failures
        assert trace.networks[:5] == traces["random"].networks[:5]
        assert trace.cpu_s == sorted(trace.cpu_s) and trace.cpu_s[:5] == [0.0] * 5
    assert run(grid, data, "op_counts")[0].networks == traces["op_counts"].networks
    assert run(grid, data, "random", 1)[0].networks[:5] != traces["random"].networks[:5]
    assert set(traces["op_counts"].measures) == {(n, name) for n in (10, 25) for name in loop.MEASURES}
    assert traces["op_counts"].measures[25, "kendall_tau"] > 0.4 and not traces["random"].measures


def test_no_label_but_those_queried_changes_a_search(tmp_path, data):
    grid = grid_of(tmp_path)
    networks, labels, _ = space.read(grid.tasks["nasbench201"], data)
    for method in grid.methods.values():
        trace = loop.run(grid, method, networks, labels, 0)
        others = np.setdiff1d(np.arange(len(networks)), trace.networks)
        altered = labels.query.copy()
        altered[others] = altered[others][::-1] + 50
        again = loop.run(grid, method, networks, space.Labels(altered, -labels.report), 0)
        assert again.networks == trace.networks, method.name


@pytest.mark.parametrize("task", [LIMITED, FRONT])
def test_no_cost_but_those_queried_changes_a_search(tmp_path, data, task):
    grid = grid_of(tmp_path, spaces={"s": task})
    networks, labels, _ = space.read(grid.tasks["s"], data)
    for method in grid.methods.values():
        trace = loop.run(grid, method, networks, labels, 0)
        others = np.setdiff1d(np.arange(len(networks)), trace.networks)
        altered = labels.cost.copy()
        altered[others] = altered[others][::-1]
        measured_on = dataclasses.replace(labels, cost=altered)
        measured_on.__dict__["allowed"] = labels.allowed  # on which predictors are scored, no more
        if not labels.front:
            measured_on.__dict__["value"] = np.where(altered <= labels.limit, labels.query, -altered / labels.limit)
        again = loop.run(grid, method, networks, measured_on, 0)
        assert again.networks == trace.networks, method.name


def test_a_predictor_that_fails_in_one_round_goes_on_at_random_and_says_so(tmp_path, data, monkeypatch):
    grid, true_fit = grid_of(tmp_path), methods.ByPredictor._fit

    def fit(self, history):
        if len(history.values) == 14:
            raise RuntimeError("no\nluck")
        return true_fit(self, history)

    monkeypatch.setattr(methods.ByPredictor, "_fit", fit)
    trace, _ = run(grid, data, "op_counts")
    assert trace.failures == ["after 14 queries, random picks: RuntimeError: no luck"]
    assert [n for n, failed in enumerate(trace.failed) if failed] == [14, 15, 16, 17]
    assert len(set(trace.networks)) == 25


@pytest.mark.parametrize("picked", [[3, 3, 3, 3], [0, 1, 2], "queried"])
def test_wrong_proposals_are_a_failure_of_the_round(tmp_path, data, monkeypatch, picked):
    grid = grid_of(tmp_path)
    monkeypatch.setattr(
        methods.ByPredictor, "propose", lambda self, h, n: h.networks[:n] if picked == "queried" else np.array(picked)
    )
    trace, _ = run(grid, data, "op_counts")
    assert "different networks that were not queried" in trace.failures[0] and len(set(trace.networks)) == 25


def test_a_killed_run_goes_on_and_what_is_there_is_not_run_again(tmp_path, data, monkeypatch):
    grid, out, done = grid_of(tmp_path), tmp_path / "out", []
    true_run = loop.run

    def counted(grid, method, networks, labels, seed):
        done.append((method.name, seed))
        if done == [("random", 0), ("random", 1)]:
            raise KeyboardInterrupt
        return true_run(grid, method, networks, labels, seed)

    monkeypatch.setattr(loop, "run", counted)
    names = [("nasbench201", "random"), ("nasbench201", "op_counts")]
    with pytest.raises(KeyboardInterrupt):
        command.run_all(grid, names, data, out)
    done.append("again")
    command.run_all(grid, names, data, out)
    assert done[3:] == [("random", 1), ("op_counts", 0), ("op_counts", 1)]
    command.run_all(grid, names, data, out)
    assert len(done) == 6
    assert sorted(os.listdir(out / "nasbench201")) == ["op_counts.parquet", "random.parquet"]
    command.run_all(dataclasses.replace(grid, sample=50), names[1:], data, out)
    assert done[6:] == [("op_counts", 0), ("op_counts", 1)]


def test_scores_follow_from_the_traces(tmp_path, data):
    grid, out = grid_of(tmp_path), tmp_path / "out"
    command.run_all(grid, [("nasbench201", name) for name in grid.methods], data, out)
    io.write_parquet(tmp_path / "searches.parquet", *numbers.score(grid, out))
    found = numbers.Searches.read(tmp_path / "searches.parquet")
    assert list(found.about["methods"]) == ["random", "evolution", "op_counts"]
    _, labels = run(grid, data, "random")
    for seed in range(2):
        trace, _ = run(grid, data, "evolution", seed)
        queried = labels.query[trace.networks[:10]]
        expected = labels.report.max() - labels.report[trace.networks[int(queried.argmax())]]
        assert found.by_seed("nasbench201", "evolution", 10)[seed] == pytest.approx(expected, abs=1e-5)
        lacks = found.by_seed("nasbench201", "evolution", 10, "query_regret")[seed]
        assert lacks == pytest.approx(labels.query.max() - queried.max(), abs=1e-5)
    assert found.about["spaces"]["nasbench201"]["floor"] == pytest.approx(labels.floor)
    assert found.predictors == ["op_counts"] and found.best_predictor("nasbench201", 25) == "op_counts"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgets": [10, 20_000]}, "20000 queries of nasbench201, which has 15625 networks"),
        ({"budgets": [25, 10]}, "budgets must rise from above start = 5"),
        ({"budgets": [5]}, "budgets must rise from above start = 5"),
        ({"batches": [{"from": 9, "size": 4}]}, "batches must say how many from start = 5 on"),
        ({"spaces": {"x": SMALL["spaces"]["nasbench201"]}}, "no data set 'x'"),
        ({"spaces": {"hwnasbench": SMALL["spaces"]["nasbench201"]}}, "no accuracy 'val_acc'; known: none"),
        (
            {"spaces": {"s": LIMITED | {"limit": LIMIT | {"device": "moon"}}}},
            "hwnasbench has no cost 'cifar10_lat.*moon",
        ),
        ({"spaces": {"s": LIMITED | {"limit": LIMIT | {"target": "val_acc"}}}}, "hwnasbench has no cost 'val_acc'"),
        ({"spaces": {"s": LIMITED | {"limit": LIMIT | {"share": 1}}}}, "share"),
        ({"spaces": {"s": FRONT | {"limit": LIMIT}}}, "s: a limit and a front; leave one out"),
        ({"spaces": {"s": FRONT | {"front": COST | {"device": "x"}}}}, "s.front: hwnasbench has no cost .* on 'x'"),
        ({"spaces": {"s": FRONT}, "methods": {"x": {"by": "local_search"}}}, "local_search finds no front"),
        ({"methods": {"x": WARM}}, "warm_steps are of one predictor; leave ensemble out"),
        ({"methods": {"x": {"by": "random", "spaces": ["y"]}}}, "no space 'y'; known: nasbench201"),
        ({"methods": {"x": {"predictor": "x"}}}, "no predictor 'x'; known: "),
        ({"methods": {"x": {"by": "luck"}}}, "mend that key"),
        ({"seeds": 0}, "at \\$.seeds: .* mend that key"),
    ],
)
def test_a_wrong_grid_is_one_line(tmp_path, changes, message):
    with pytest.raises(BenchError, match=message) as caught:
        grid_of(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_a_space_without_all_labels_is_one_line(tmp_path, data):
    graphs, meta, targets = table_checks.read(data / "parquet/nasbench201")
    table_checks.publish(tmp_path / "parquet/nasbench201", graphs, meta, targets.filter(pl.col("graph_id") != 7))
    grid = grid_of(tmp_path)
    with pytest.raises(BenchError, match=r"targets\.parquet: 624 labels test_acc for 625 networks") as caught:
        space.read(grid.tasks["nasbench201"], tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("dataset", ["nasbench201", "hwnasbench"])
def test_tables_changed_since_they_were_written_are_not_searched(tmp_path, data, dataset):
    shutil.copytree(data, tmp_path / "data")
    path = tmp_path / "data/parquet" / dataset / "targets.parquet"
    io.write_parquet(path, io.read_parquet(path).with_columns(pl.col("value").reverse()), io.read_meta(path))
    task = grid_of(tmp_path, spaces={"s": LIMITED}).tasks["s"]
    with pytest.raises(BenchError, match=f"{path}: changed since it was written; delete the file and convert again"):
        space.read(task, tmp_path / "data")


def test_more_queries_than_networks_in_the_tables_is_one_line(tmp_path, data):
    with pytest.raises(BenchError, match="700 queries of 625 networks; lower the budgets"):
        run(grid_of(tmp_path, budgets=[700]), data, "random")


def test_the_shipped_grid_is_right():
    grid = search_grid.load()
    spaces = ["nasbench201", "nasbench201-edgegpu", "nasbench201-edgegpu-front", "nasbench_macro", "nasbench_graph"]
    assert list(grid.tasks) == spaces
    assert {space for space, method in grid.pairs if method == "local_search"} == set(spaces) - {spaces[2]}
    assert grid.seeds == 20
    assert grid.batch(20) == 10 and grid.batch(100) == 25 and grid.batch(290) == 10
