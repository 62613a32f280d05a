"""Grids: which cells a config means, where their files are, and one line for each mistake."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from pipeline.config.grid import load_grid
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.names import known_predictors
from pipeline.core.paths import ROOT
from tests.helpers.grid_files import GOOD, changed


def test_cells_and_paths(write):
    grid = load_grid(write(GOOD))
    assert (grid.name, grid.torch_device, grid.timeout_s, grid.mirror) == ("tiny", "auto", 3600, None)
    assert len(grid.cells) == 2 * 2 * 2
    assert grid.cells[0].path == "results/predictions/synthetic201/test_acc/any/mean/0.1/0.parquet"
    assert grid.cells[-1].path == "results/predictions/synthetic201/test_acc/any/nn_former/n60/1.parquet"
    assert len({cell.path for cell in grid.cells}) == 8


def test_overrides_get_a_path_of_their_own_that_ignores_key_order(write):
    one = load_grid(write(changed(predictors={"nn_former-small": {"dim": 32, "layers": 2}}), "one.yaml")).cells[0]
    two = load_grid(write(changed(predictors={"nn_former-small": {"layers": 2, "dim": 32}}), "two.yaml")).cells[0]
    other = load_grid(write(changed(predictors={"nn_former-small": {"layers": 3, "dim": 32}}), "other.yaml")).cells[0]
    assert one.predictor == "nn_former"
    assert one.path == two.path != other.path
    assert one.variant.startswith("nn_former-small-")
    assert one.overrides == '{"dim": 32, "layers": 2}'


def test_long_settings_are_held_once_for_all_seeds(write):
    labels = {f"mean-{number}": {} for number in range(400)} | {"mean": {"a": "x" * 15_000}}
    cells = load_grid(write(changed(predictors=labels, task_seeds=200, budgets=[10]))).cells
    assert len(cells) == 401 * 200
    assert len({id(cell.overrides) for cell in cells if cell.label == "mean"}) == 1


def test_an_ensemble_is_an_override_like_any_other(write):
    cell = load_grid(write(changed(predictors={"nn_former-ensemble": {"dim": 32, "ensemble": 5}}))).cells[0]
    assert cell.predictor == "nn_former"
    assert cell.overrides == '{"dim": 32, "ensemble": 5}'


def test_path_does_not_depend_on_the_grid_or_the_protocol(write):
    task = {"dataset": "nasbench201", "target": "val_acc", "budgets": ["0.05"]}
    tasks = [{**task, "protocol": "tnasp"}, {**task, "protocol": "direct"}]
    cells = load_grid(write(changed(tasks=tasks, seeds=1, predictors={"mean": {}}))).cells
    assert [cell.protocol for cell in cells] == ["tnasp", "direct"]
    assert cells[0].path == cells[1].path


def test_task_may_choose_predictors_and_seeds(write):
    task = {"task_predictors": ["mean"], "task_seeds": 1, "budgets": [10]}
    cells = load_grid(write(changed(**task, predictors={"mean": {}}))).cells
    assert [(cell.label, cell.seed) for cell in cells] == [("mean", 0)]


def test_seeds_added_after_a_look_are_said_to_be(write):
    grid = load_grid(write(changed(task_seeds=5, task_looked_at=2, budgets=[10])))
    assert grid.looked_at == {("synthetic201", "direct", "test_acc", label): 2 for label in ("mean", "nn_former")}
    assert load_grid(write(GOOD)).looked_at == {}


def test_pairs_are_of_labels_that_the_grid_has(write):
    assert load_grid(write(changed(pairs=[["mean", "nn_former"]]))).pairs == (("mean", "nn_former"),)
    with pytest.raises(BenchError, match=r"pairs\[0\]: unknown predictor 'gbdt'; known: mean, nn_former"):
        load_grid(write(changed(pairs=[["mean", "gbdt"]])))
    with pytest.raises(BenchError, match=r"pairs\[0\]"):
        load_grid(write(changed(pairs=[["mean"]])))


def test_where_each_task_lists_its_predictors_the_grid_need_not(write):
    config = changed(task_predictors=["mean", "nn_former-latency"], seeds=1, budgets=[10])
    del config["predictors"]
    cells = load_grid(write(config)).cells
    assert [(cell.label, cell.settings.get("preset")) for cell in cells] == [
        ("mean", None),
        ("nn_former-latency", "latency_quick"),
    ]
    config["tasks"].append({**GOOD["tasks"][0], "target": "latency_ms", "devices": ["virtual"]})
    with pytest.raises(BenchError, match=r"tasks\[1\]: no predictors; list them here, or for the whole grid"):
        load_grid(write(config))


SHIPPED = [path for path in (ROOT / "config").glob("*.yaml") if "grid" in read_yaml(path)]
SHIPPED += (ROOT / "config" / "full").glob("*.yaml")


@pytest.mark.parametrize("path", sorted(SHIPPED), ids=lambda path: path.stem)
def test_shipped_grids_are_valid(path):
    grid = load_grid(path)
    assert grid.name == path.stem
    assert {cell.predictor for cell in grid.cells} <= set(known_predictors())


def test_shipped_grids_count():
    assert len(load_grid(ROOT / "config/benchmark.yaml").cells) == 8 * 4 * 3 + 3 * (3 * 2 * 3 + 11)
    assert len(load_grid(ROOT / "config/networks.yaml").cells) == 7 * (3 + 11)
    assert len(load_grid(ROOT / "config/wide.yaml").cells) == 8 * (3 + 22)
    of_nn_former = 5 + 4 * 3
    assert len(load_grid(ROOT / "config/nasbench201.yaml").cells) == 6 * 5 * 3 + 2 * 23 + 19 * 2 * 3 + of_nn_former
    assert len(load_grid(ROOT / "config/nasbench101.yaml").cells) == 22 * 3 * 5 + 2 * 3 * 12
    assert len(load_grid(ROOT / "config/ablation.yaml").cells) == 12 * 3 * 5
    assert len(load_grid(ROOT / "config/full/paper.yaml").cells) == 29 * (4 + 5) * 5 + 11 * 5
    assert len(load_grid(ROOT / "config/full/nasbench101_official.yaml").cells) == 6 * 4 * 3


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (changed(colour="red"), "unknown key colour"),
        (changed(task_shots=3), "unknown key shots"),
        (changed(predictors={"no_such": {}}), "no predictors/no_such.py and no package has it; known: "),
        (
            changed(predictors={"mean": {"ensemble": 1}}),
            "predictors.mean.ensemble: 1 is no whole number from 2 to 100",
        ),
        (changed(predictors={"mean": {"ensemble": "5"}}), "predictors.mean.ensemble"),
        (changed(predictors={"mean": {"ensemble": 10**9}}), "predictors.mean.ensemble: 1000000000 is no whole number"),
        (changed(seeds=100_000_000), "400,000,000 cells, over the limit of 200,000; ask for fewer seeds"),
        (changed(task_seeds=100_000_000), "400,000,000 cells"),
        (changed(budgets=["0." + "1" * 5000]), "longer than 60 characters"),
        (changed(budgets=["n" + "1" * 5000]), "longer than 60 characters"),
        (changed(predictors={"nn_former": {"lr": float("nan")}}), "is no finite number"),
        (changed(predictors={"nn_former": {"lr": float("inf")}}), "is no finite number"),
        (changed(predictors={"mean-": {}}), "mean-"),
        (changed(predictors={"../mean": {}}), "../mean"),
        (changed(predictors={"mean": None}), "predictors.mean"),
        (changed(task_predictors=["gbdt"]), "unknown predictor 'gbdt'; known: mean, nn_former"),
        (changed(task_predictors=["mean"]), "predictors.nn_former: no task trains it"),
        (changed(budgets=["0.1-from-0a1b2c3d"]), "other devices stand under `sources`"),
        (changed(budgets=["0.0"]), "fraction 0.0 is not above 0"),
        (changed(budgets=["1.5"]), "fraction 1.5 is not above 0 and at most 1"),
        (changed(budgets=["-0.1"]), "'-0.1' is no label budget"),
        (changed(budgets=["a tenth"]), "'a tenth' is no label budget"),
        (changed(budgets=["1"]), "'1' is no label budget"),
        (changed(budgets=["nan"]), "'nan' is no label budget"),
        (changed(budgets=["0.1\n"]), "is no label budget"),
        (changed(budgets=[0.1]), "0.1 is not quoted"),
        (changed(budgets=[0]), "budgets[0]"),
        (changed(budgets=[-5]), "budgets[0]"),
        (changed(budgets=[True]), "budgets[0]"),
        (changed(budgets=[]), "budgets"),
        (changed(budgets=["0.00001"]), "less than one label"),
        (changed(budgets=[241]), "241 is 241 labels, the pool of synthetic201 has 240"),
        (changed(budgets=["0.9"]), "0.9 is 270 labels, the pool of synthetic201 has 240"),
        (changed(dataset="cifar"), "unknown data set 'cifar'; known: "),
        (changed(target="val_loss"), "unknown target 'val_loss'; known: test_acc, latency_ms"),
        (changed(devices=["phone"]), "unknown device 'phone'; known: any"),
        (changed(target="latency_ms", devices=["any"]), "unknown device 'any'; known: virtual"),
        (changed(protocol="tnasp"), "protocol tnasp trains on val_acc"),
        (changed(protocol="guess"), "protocol"),
        (changed(budgets=[30, "0.1"]), "duplicate cell: synthetic201 direct test_acc any mean, 30 labels, seed 0"),
        (changed(tasks=GOOD["tasks"] * 2), "duplicate cell"),
        (changed(devices=["any", "any"]), "duplicate cell"),
        (changed(seeds=0), "seeds"),
        (changed(seeds="three"), "seeds"),
        (changed(seeds=3, task_looked_at=3), "looked_at 3: no seed is left; ask for more seeds"),
        (changed(torch_device="tpu"), "torch_device: 'tpu': input should be 'auto', 'cpu' or 'cuda'"),
        (changed(torch_device="cuda:1"), "torch_device: 'cuda:1'"),
        (changed(predictors=["nn_former-no_such"]), "nn_former-no_such is not in"),
        (changed(predictors={"nn_former-latency": {}}), "predictors.nn_former-latency: defined in"),
        (changed(budgets=["0.1-val250"]), "0.1 is 30 labels and 250 for validation, the pool of synthetic201 has 240"),
        (changed(predictors={"mean": {"a": "x" * 200_000}}), "settings of 200,009 characters, over 20,000; give fewer"),
        (changed(predictors={f"mean-{'x' * 300}": {}}), "string should have at most 80 characters"),
        (changed(grid="x" * 300), "string should have at most 80 characters"),
        (changed(grid="kept"), "results/kept/ holds something else; choose another name"),
        (changed(grid="search"), "results/search/ holds something else"),
        (changed(mirror="x" * 5000), "string should have at most 4000 characters"),
        (changed(dataset="x" * 5000), "string should have at most 80 characters"),
        (changed(**{"x" * 5000: 1}), "unknown key xxx"),
        ("!" * 10_000, "correct the YAML"),
        (changed(timeout_s=0), "timeout_s"),
        (changed(timeout_s=10**30), "timeout_s"),
        (changed(grid="../elsewhere"), "grid"),
        (changed(tasks=[]), "tasks"),
        ({"grid": "tiny"}, "seeds: this key is missing"),
        ("", "top level: this is no mapping"),
        ("grid: [", "correct the YAML"),
        ("grid: a\ngrid: b\n", "line 2: duplicate key 'grid'"),
        ("grid: \x00", "not YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(write, config, says):
    path = write(config)
    with pytest.raises(BenchError) as caught:
        load_grid(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message and len(message) < 2000
    assert len(message.splitlines()) == 1


def test_missing_file():
    with pytest.raises(BenchError, match="no_such.yaml: cannot read: No such file"):
        load_grid("config/no_such.yaml")


def test_a_listed_variant_is_looked_up(write):
    cells = load_grid(write(changed(predictors=["mean", "nn_former-latency"]))).cells
    settings = {cell.label: cell.settings for cell in cells}
    assert settings["mean"] == {} and settings["nn_former-latency"]["preset"] == "latency_quick"


def test_cells_cannot_be_changed(write):
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_grid(write(GOOD)).cells[0].seed = 7


def test_reading_a_grid_needs_neither_torch_nor_polars():
    """Nor does anything else that the Snakefile imports whenever it is read."""
    lines = (ROOT / "workflow/rules/common.smk").read_text().splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert "from pipeline.config.grid import DEFAULT_GRID, cells_to_save, left_out_cells, load_grid" in imports
    code = "\n".join([*imports, "import sys; print({'torch', 'polars', 'numpy'} & set(sys.modules))"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_sources_belong_to_the_cell_and_its_path(write):
    task = {
        "protocol": "few_shot",
        "target": "latency_ms",
        "dataset": "help_nasbench201",
        "devices": ["fpga", "pixel2"],
    }
    config = changed(**task, budgets=[10], task_sources={"devices": ["pixel3", "fpga"], "labels": 900})
    cells = load_grid(write(config)).cells
    assert {str(cell.budget) for cell in cells} == {str(cells[0].budget)}
    assert str(cells[0].budget).startswith("n10-from-")
    assert cells[0].path.startswith(f"results/predictions/help_nasbench201/latency_ms/fpga/mean/{cells[0].budget}/")
    other = load_grid(
        write(changed(**task, budgets=[10], task_sources={"devices": ["pixel3"], "labels": 50}, task_devices=["fpga"]))
    )
    assert other.cells[0].path != cells[0].path


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"protocol": "few_shot"}, "needs sources"),
        ({"task_sources": {"labels": 5}}, "takes no sources"),
        ({"budgets": ["stage"]}, "cannot train on 'stage'"),
        ({"protocol": "leave_one_family_out"}, "cannot train on '0.1'"),
        ({"protocol": "leave_one_family_out", "budgets": ["without-vgg"]}, "unknown family 'vgg'"),
        ({"protocol": "few_shot", "task_sources": {"labels": 5}}, "no device is left besides any"),
        ({"protocol": "few_shot", "task_sources": {"devices": ["moon"], "labels": 5}}, "unknown device 'moon'"),
    ],
)
def test_a_protocol_with_the_wrong_words_is_one_line(write, task, message):
    with pytest.raises(BenchError, match=message):
        load_grid(write(changed(**task)))


def test_settings_of_a_shared_variant_are_checked_too(write, monkeypatch):
    shared = write("mean-many: {ensemble: 1000000000}", "shared.yaml")
    monkeypatch.setattr("pipeline.config.grid.SHARED_LABELS", shared)
    with pytest.raises(BenchError, match=r"mean-many\.ensemble: 1000000000 is no whole number from 2 to 100"):
        load_grid(write(changed(predictors=["mean-many"])))
