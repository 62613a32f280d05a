"""Tasks of transfer to a device, and labels that are faults."""

from __future__ import annotations

import csv

import pytest

from pipeline.config.grid import load_grid
from pipeline.config.nasflat import NASFLAT
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from tests.helpers.grid_files import GOOD, changed


def test_faulty_labels_come_back_by_a_key_of_the_task(write):
    config = changed(task_faulty=True)
    cells = load_grid(write(config)).cells
    assert all(str(cell.budget).endswith("-faulty") for cell in cells)
    assert not any(cell.budget.faulty for cell in load_grid(write(GOOD)).cells)
    both = {**GOOD, "tasks": [GOOD["tasks"][0], config["tasks"][0]]}
    assert len({cell.path for cell in load_grid(write(both)).cells}) == 2 * len(cells)
    for wrong, message in (({"task_faulty": "yes"}, "faulty"), ({"budgets": ["n60-faulty"]}, "write `faulty: true`")):
        with pytest.raises(BenchError, match=message):
            load_grid(write(changed(**wrong)))


FD = {
    "dataset": "help_fbnet", "protocol": "nasflat_fd", "target": "latency_ms", "devices": ["fpga"], "budgets": [10],
    "task_sources": {"devices": ["pixel3", "samsung_s7"], "labels": 800},
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"devices": ["moon"]}, r"tasks\[0\]: unknown device 'moon'"),
        ({"task_sources": {"devices": ["moon"], "labels": 5}}, r"tasks\[0\]\.sources: unknown device 'moon'"),
        ({"task_sources": {"devices": ["pixel3", "fpga"], "labels": 5}}, "the target fpga is among its sources"),
        ({"budgets": [0], "protocol": "direct", "task_sources": None}, "less than one label"),
        ({"budgets": ["n0-val5"]}, "less than one label"),
        ({"budgets": ["0.00001"]}, "less than one label"),
        ({"budgets": [-1]}, "is no label budget"),
        ({"budgets": [4001]}, "4001 labels, the pool of help_fbnet has 4000"),
        ({"task_sources": {"devices": ["pixel3"], "labels": 4001}}, "4001 labels, the pool of help_fbnet has 4000"),
        ({"task_sources": None}, "needs sources"),
        ({"protocol": "nasflat_f5"}, "nasflat_f5"),
        (
            {"budgets": ["n10-help"]},
            "'n10-help' is for protocol few_shot_help on help_nasbench201, help_fbnet, help_ofa",
        ),
    ],
)
def test_a_transfer_task_that_cannot_be_is_one_line(write, task, message):
    assert load_grid(write(changed(**FD))).cells
    with pytest.raises(BenchError, match=message) as caught:
        load_grid(write(changed(**FD | task)))
    assert "\n" not in str(caught.value)


def test_a_device_may_have_no_label_of_its_own(write):
    for protocol in ("few_shot", "nasflat_fd", "transfer_platform"):
        cells = load_grid(write(changed(**FD | {"budgets": [0], "protocol": protocol}))).cells
        assert {cell.budget.own_labels for cell in cells} == {"n0"} and all(cell.sources for cell in cells)


def test_labels_of_helps_references_are_for_its_own_data_sets(write):
    task = FD | {"protocol": "few_shot_help", "budgets": [10, "n10-help"]}
    assert {cell.budget.own_labels for cell in load_grid(write(changed(**task))).cells} == {"n10", "n10-help"}
    with pytest.raises(BenchError, match="few_shot_help on help_nasbench201"):
        other = {"dataset": "oneproxy_nasbench201", "task_sources": {"devices": ["pixel3"], "labels": 80}}
        load_grid(write(changed(**task | other)))


def test_a_task_may_train_others_than_the_grid_lists(write):
    """The grid's list is for tasks without one."""
    first = GOOD["tasks"][0] | {"predictors": ["layerwise", "gbdt-table"]}
    config = {**GOOD, "tasks": [first, GOOD["tasks"][0] | {"budgets": [30]}], "predictors": ["mean", "nn_former"]}
    cells = load_grid(write(config)).cells
    assert {c.label for c in cells if str(c.budget) == "n60"} == {"layerwise", "gbdt-table"}
    assert {c.label for c in cells if str(c.budget) == "n30"} == {"mean", "nn_former"}


def test_the_grid_of_transfer_has_the_twelve_tasks_and_their_published_figures():
    grid = load_grid(ROOT / "config/transfer.yaml")
    assert {cell.protocol for cell in grid.cells} == {*NASFLAT, "few_shot", "few_shot_help", "direct"}
    tasks = [cell for cell in grid.cells if cell.protocol in NASFLAT]
    assert {str(cell.budget.own_labels) for cell in tasks} == {"n10", "n20"}
    sizes = {
        protocol: {(len(c.sources.devices), c.sources.labels) for c in grid.cells if c.protocol == protocol}
        for protocol in NASFLAT
    }
    assert sizes["nasflat_nd"] == {(9, 900)} and sizes["nasflat_n4"] == {(7, 900)}
    assert sizes["nasflat_fa"] == {(15, 800)}
    targets = {p: len({c.device for c in grid.cells if c.protocol == p}) for p in NASFLAT}
    assert list(targets.values()) == [6, 3, 5, 4, 5, 3, 3, 4, 5, 5, 5, 3]
    dataset_of = {(c.protocol, c.dataset) for c in tasks}
    rows = [row for row in csv.DictReader((ROOT / "config/published.csv").open()) if row["protocol"] in NASFLAT]
    assert {(row["protocol"], row["dataset"]) for row in rows} == dataset_of and len(rows) == 36
    assert {row["metric"] for row in rows} == {"spearman"}
