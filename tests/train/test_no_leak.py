"""No label outside a cell's training set reaches `fit`: shown by spying and by permuting, for every protocol.

The plan of a cell is worked out here, row by row from the tables, without the code under test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar, get_args

import polars as pl
import pytest
import torch

from pipeline.config import references
from pipeline.config.budget import Budget, Kind, Sources
from pipeline.config.cell_spec import CellSpec
from pipeline.config.grid_file import Protocol
from pipeline.config.nasflat import NASFLAT
from pipeline.core import io
from pipeline.core.graphs import Graphs
from pipeline.train import cell as training
from predictors import base
from tests.helpers.tiny_tables import DEVICES, FAMILIES, N, tiny_tables

Row = tuple[int, str, float]  # graph, device, label
LEADING = (3, 17, 0)  # reference networks of the tables, of which the split holds some out


def spec(protocol: str, target: str, budget: str, device: str = "any", sources: Sources | None = None) -> CellSpec:
    return CellSpec.from_values(
        "tiny", target, "spy", budget, seed=5, device=device, sources=sources, protocol=protocol
    )


CASES = {
    "direct": spec("direct", "test_acc", "n12"),
    "direct, with labels for validation": spec("direct", "test_acc", "n12-val6"),
    "direct, a label is missing": spec("direct", "latency_ms", "n30", "phone"),
    "tnasp": spec("tnasp", "val_acc", "n12"),
    "gates": spec("gates", "val_acc", "0.25"),
    "in_domain": spec("in_domain", "latency_ms", "stage", "phone"),
    "in_domain, the whole pool": spec("in_domain", "latency_ms", "all", "phone"),
    "leave_one_family_out": spec("leave_one_family_out", "latency_ms", "without-beta", "phone"),
    "few_shot": spec("few_shot", "latency_ms", "n4", "phone", Sources(("server", "phone", "watch"), 14)),
    "few_shot, no label": spec("few_shot", "latency_ms", "n0", "phone", Sources(("server", "watch"), 14)),
    "few_shot_help": spec("few_shot_help", "latency_ms", "n4-help", "phone", Sources(("server", "watch"), 14)),
    "transfer_platform": spec("transfer_platform", "latency_ms", "n6-val3", "phone", Sources(("server",), None)),
    "multi_platform": spec("multi_platform", "latency_ms", "stage", "server", Sources(DEVICES, None)),
    **{task: spec(task, "latency_ms", "n4", "phone", Sources(("server", "watch"), 14)) for task in NASFLAT},
}


@dataclass(frozen=True)
class Plan:
    """What a cell may see: rows to train on, rows for validation, and the graphs that are held out."""

    train: list[Row]
    val: list[Row]
    held_out: set[int]

    @property
    def seen(self) -> set[tuple[int, str]]:
        """(graph, device) of every label that may reach `fit`."""
        return {(graph, device) for graph, device, _ in self.train + self.val}


def plan(cell: CellSpec) -> Plan:
    """The plan of a cell, by docs/protocols.md."""
    tables, word = tiny_tables(), str(Budget.parse(str(cell.budget)).own_labels)
    labels = {
        (graph, device): (value, mark)
        for graph, target, device, _, value, mark in tables.targets.iter_rows()
        if target == cell.target
    }
    pool = [g for g, role, _ in sorted(tables.split.iter_rows(), key=lambda row: row[2]) if role == "pool"]
    if word == "stage":
        held_out = {g for g in range(N) if g % 4 == 0}
        order = [g for g in range(N) if g not in held_out]
    elif word.startswith("without-"):
        held_out = {g for g in range(N) if FAMILIES[g % 3] == word.removeprefix("without-")}
        order = [g for g in range(N) if g not in held_out]
    else:
        first_of_all = list(LEADING) if word.endswith("-help") else []
        order = first_of_all + [g for g in pool if g not in first_of_all]
        held_out = set(range(N)) - set(order)

    def first(device: str, n: int | None) -> list[Row]:
        return [(g, device, labels[g, device][0]) for g in order if (g, device) in labels][:n]

    n = {Kind.COUNT: lambda: int(word[1:].removesuffix("-help")), Kind.FRACTION: lambda: int(float(word) * N)}.get(
        cell.budget.kind
    )
    own = first(cell.device, None)
    n_train = n() if n else len(own)
    others = [d for d in (cell.sources.devices if cell.sources else ()) if d != cell.device]
    before = [row for device in others for row in first(device, cell.sources.labels)]
    return Plan(before + own[:n_train], own[n_train : n_train + cell.budget.n_val], held_out)


class Spy(base.BasePredictor):
    """Keeps what `fit` is given. Its predictions hang on all of it, and on the seed."""

    seen: ClassVar[list[Spy]] = []
    zero_shot: ClassVar[bool] = True

    def fit(self, train: Graphs, y: torch.Tensor, val: Graphs | None = None, y_val: torch.Tensor | None = None) -> None:
        self.train = rows(train, y)
        self.val = [] if val is None else rows(val, y_val)
        self.key = sum((i + 1) * value for i, (_, _, value) in enumerate(self.train + self.val)) + self.seed
        Spy.seen.append(self)

    def predict(self, graphs: Graphs) -> torch.Tensor:
        self.asked_about = {graphs.platforms[i] for i in graphs.platform.tolist()}
        return self.key + graphs.graph_id.double() ** 2


class SpyOnAllDevices(Spy):
    transfers: ClassVar[bool] = True


def rows(graphs: Graphs, y: torch.Tensor) -> list[Row]:
    devices = [graphs.platforms[i] for i in graphs.platform.tolist()]
    return list(zip(graphs.graph_id.tolist(), devices, y.tolist(), strict=True))


@pytest.fixture(autouse=True)
def leading(monkeypatch):
    monkeypatch.setitem(references.REFERENCES, "tiny", LEADING)


@pytest.fixture(params=[Spy, SpyOnAllDevices], ids=["own device", "all devices"])
def spy(request, monkeypatch) -> type[Spy]:
    """The class that `train` finds under the name `spy`."""
    monkeypatch.setattr(base, "load", lambda label: request.param)
    monkeypatch.setattr(Spy, "seen", [])
    return request.param


def trained(cell: CellSpec, tables: training.Tables | None = None) -> training.Trained:
    ended = training.train(cell, tables or tiny_tables(), "cpu")
    assert ended.about["status"] == "ok", ended.about["message"]
    return ended


def relabelled(seen: set[tuple[int, str]], target: str, change: pl.Expr) -> training.Tables:
    """The tables with every label changed but those of `target` for the (graph, device) that may be seen."""
    tables = tiny_tables()
    keys = pl.DataFrame(sorted(seen), schema={"graph_id": pl.UInt32, "device": pl.String}, orient="row")
    marked = tables.targets.join(
        keys.with_columns(target=pl.lit(target), kept=True), ["graph_id", "device", "target"], "left"
    )
    hidden = pl.col("kept").is_null()
    changed = marked.filter(hidden).with_columns(value=change)
    whole = pl.concat([marked.filter(~hidden), changed]).drop("kept").sort("target", "device", "graph_id")
    assert whole.height == tables.targets.height and changed.height > N
    return replace(tables, targets=whole.select(tables.targets.columns))


def test_every_protocol_has_a_case():
    assert {cell.protocol for cell in CASES.values()} == set(get_args(Protocol))


@pytest.mark.parametrize("name", CASES)
def test_fit_receives_the_plan_and_no_more(spy, name):
    cell, expected = CASES[name], plan(CASES[name])
    ended = trained(cell)
    (received,) = Spy.seen
    own = [row for row in expected.train if row[1] == cell.device]
    assert received.train == (expected.train if spy.transfers else own)
    assert received.val == expected.val
    assert not {graph for graph, _, _ in received.train + received.val} & expected.held_out
    assert received.asked_about == {cell.device}
    assert (received.seed, received.task) == (cell.random_seed, "accuracy" if "acc" in cell.target else "cost")
    about = {"n_train": len(own), "n_val": len(expected.val), "n_source": len(received.train) - len(own)}
    assert {key: ended.about[key] for key in about} == about
    assert set(ended.labels.test.tolist()) == expected.held_out


def test_without_a_label_of_the_device_only_those_fit_that_can(spy, monkeypatch):
    monkeypatch.setattr(Spy, "zero_shot", False)
    ended = training.train(CASES["few_shot, no label"], tiny_tables(), "cpu")
    assert (ended.about["status"], ended.about["n_train"]) == ("unsupported", 0) and Spy.seen == []
    assert "needs a label of the new device" in ended.about["message"]


CHANGES = {
    "permuted": pl.col("value").reverse(),
    "not a number": pl.lit(float("nan")),
    "absurd": 1e6 - pl.col("value"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", CASES)
def test_labels_outside_the_plan_change_no_bit(spy, name, change):
    cell = CASES[name]
    prediction = trained(cell).prediction
    changed = relabelled(plan(cell).seen, cell.target, CHANGES[change])
    assert torch.equal(trained(cell, changed).prediction, prediction)


REAL = {"gbdt": {"rounds": 5}, "nn_former": {"steps": 5, "cost_steps": 5, "pretrain_steps": 2}, "nasflat": {"steps": 5}}


@pytest.mark.parametrize("label", REAL)
@pytest.mark.parametrize(
    "name", ["direct, with labels for validation", "leave_one_family_out", "few_shot", "in_domain"]
)
def test_nor_do_they_with_predictors_that_learn(name, label):
    """And labels inside the plan do, so that the comparison can fail."""
    cell = replace(CASES[name], label=label, overrides=json.dumps(REAL[label]))
    prediction = trained(cell).prediction
    seen = plan(cell).seen
    hidden = relabelled(seen, cell.target, CHANGES["permuted"])
    assert torch.equal(trained(cell, hidden).prediction, prediction)
    of_others = {(graph, device) for graph, device in seen if device != cell.device}
    changed = relabelled(of_others, cell.target, CHANGES["permuted"])
    assert not torch.equal(trained(cell, changed).prediction, prediction)


def test_a_label_inside_the_plan_changes_what_the_spy_says(spy):
    for name, cell in CASES.items():
        expected = plan(cell)
        first = {(graph, device) for graph, device, _ in expected.train[-1:]}
        if not spy.transfers and first.isdisjoint({(graph, cell.device) for graph in range(N)}):
            continue  # it is given no label of another device
        changed = relabelled(expected.seen - first, cell.target, pl.col("value") + 1)
        assert not torch.equal(trained(cell, changed).prediction, trained(cell).prediction), name


def test_a_prediction_stands_beside_its_own_graph(spy, tmp_path):
    """In memory and in the file: the spy's predictions grow with the number of the graph."""
    ended = trained(CASES["direct"])
    assert torch.equal(ended.graphs.graph_id, torch.arange(N))
    assert torch.equal(ended.prediction - ended.prediction[0], torch.arange(N).double() ** 2)
    training.write(tmp_path / "predictions.parquet", ended)
    written = dict(io.read_parquet(tmp_path / "predictions.parquet").iter_rows())
    assert written == pytest.approx({g: float(ended.prediction[0]) + g**2 for g in range(N)}, rel=1e-6)


def test_seed_and_label_decide_the_predictor_s_seed_and_the_label_no_row(spy):
    """Two labels and two seeds: what the spy got is the same rows for a seed, and a seed of its own each time."""
    cells = [replace(CASES["direct"], seed=seed, label=label) for seed in (5, 6) for label in ("spy", "spy-variant")]
    for cell in cells:
        trained(cell)
    assert [spy.seed for spy in Spy.seen] == [cell.random_seed for cell in cells]
    assert len({spy.seed for spy in Spy.seen}) == 4
    assert Spy.seen[0].train == Spy.seen[1].train and Spy.seen[2].train == Spy.seen[3].train
