"""The notebooks run from the first cell to the last, and none was kept with outputs that nobody can check."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import nbformat
import pytest

from pipeline.core.paths import ROOT
from tests.helpers.onnx_networks import networks
from tests.helpers.saved_fixtures import save, write_tables

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
needs_kernel = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("nbclient", "ipykernel")),
    reason="nbclient or ipykernel is not installed; pip install -e '.[test]'",
)


def run(name: str, folder: Path, monkeypatch, **changes: str) -> list:
    """Run a notebook in a folder, with texts replaced; its code cells with their outputs."""
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    for old, new in changes.items():
        assert any(old in cell.source for cell in notebook.cells), old
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cells: list) -> str:
    return "".join(out.get("text", "") for cell in cells for out in cell.outputs)


@needs_kernel
def test_two_predictors_are_compared(tmp_path, monkeypatch):
    """On the real data where there is a mirror, else on those made up for tests."""
    monkeypatch.setenv("NNFB_CACHE", str(tmp_path / "cache"))
    mirror = Path(os.environ.get("BENCH_MIRROR") or ROOT.parent / "shared" / "mirror")
    changes = {"range(5)": "range(2)"}
    if mirror.is_dir():
        monkeypatch.setenv("BENCH_MIRROR", str(mirror))
    else:
        changes["nasbench101_cec"] = "synthetic201"
    cells = run("compare_two_predictors", tmp_path, monkeypatch, **changes)
    assert "graf less gp: " in printed(cells)
    assert sum("image/png" in out.get("data", {}) for cell in cells for out in cell.outputs) == 2


@needs_kernel
def test_a_latency_is_explained(tmp_path, monkeypatch):
    """With a saved predictor of made-up latencies."""
    save(write_tables(tmp_path / "made_up"), tmp_path / "results/models", "nn_former")
    (tmp_path / "network.onnx").write_bytes(networks(1)[0][1])
    text = printed(run("explain_a_latency", tmp_path, monkeypatch))
    assert " ms on synthetic-device, " in text and "batch 8: " in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_kept(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


def test_each_is_run_here():
    assert {path.stem for path in NOTEBOOKS} == {"compare_two_predictors", "explain_a_latency"}
