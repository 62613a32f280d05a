"""Both archives are built as a user builds them, the wheel from the source archive, and the wheel is used by itself.

The environment has nothing of the clone. To save minutes it borrows the other packages (PyTorch among them) of the
Python that runs the tests. Modules called `pipeline` and `predictors` lie in the folder it is used in, and fail when
imported.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from nnfb import __version__
from pipeline.core.paths import ROOT
from pipeline.predict.ship import CHIPS
from tests.helpers.onnx_networks import networks
from tests.helpers.saved_fixtures import DEVICE, save, write_tables

PARTS = ("nnfb", "pipeline", "predictors", "config", "workflow", "shipped")
FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def run(*command: object, cwd: Path, **variables: str) -> str:
    """What a command prints; it must succeed, and sees no path but its own."""
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(cwd), **variables}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the source archive of a copy that has a saved predictor (of made-up latencies)."""
    folder = tmp_path_factory.mktemp("build")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / "clone" / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, folder / "clone")
    save(write_tables(folder / "made_up"), folder / "clone/results/models", "nn_former")
    run(sys.executable, "-c", BUILD, "build_sdist", folder, cwd=folder / "clone")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    run(sys.executable, "-c", BUILD, "build_wheel", folder, cwd=folder / archive.name.removesuffix(".tar.gz"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel, tmp_path_factory) -> Path:
    """bin/ of an environment with the wheel; other packages are borrowed, without what their .pth files start."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder with other modules of these names."""
    for name in ("pipeline", "predictors"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a module of the user, not ours')")
    (tmp_path / "net.onnx").write_bytes(networks(1)[0][1])
    return tmp_path


def test_the_wheel_has_one_name(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"nnfb", f"nn_former_bench-{__version__}.dist-info"}
    in_clone = {str(f.relative_to(ROOT)) for part in ("pipeline", "predictors") for f in (ROOT / part).rglob("*.py")}
    assert in_clone <= {name.removeprefix("nnfb/") for name in names}
    assert {"nnfb/py.typed", "nnfb/config/datasets.yaml", "nnfb/workflow/schemas/datasets.schema.json"} <= set(names)
    text = zipfile.ZipFile(wheel).read(f"nn_former_bench-{__version__}.dist-info/top_level.txt").decode()
    assert text.split() == ["nnfb"]


def test_no_module_of_the_wheel_names_the_clones_packages(wheel):
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        if name.endswith(".py"):
            found = re.search(r"(?m)^\s*(from|import) (pipeline|predictors)\b", archive.read(name).decode())
            assert not found, f"{name}: {found}"


def test_every_module_can_be_imported(bin_folder, place):
    code = """if True:
        import importlib, pkgutil, sys, nnfb
        scripts = ("__main__", "ask_warm")
        for module in pkgutil.walk_packages(nnfb.__path__, "nnfb."):
            if not module.name.endswith(scripts):
                importlib.import_module(module.name)
        assert "site-packages" in nnfb.__file__, nnfb.__file__
        print(len([name for name in sys.modules if name.startswith("nnfb.")]))
        assert not {"pipeline", "predictors"} & set(sys.modules)
    """
    assert int(run(bin_folder / "python", "-c", code, cwd=place)) > 200


def test_the_command_predicts_with_a_predictor_that_came_with_it(bin_folder, place):
    listed = run(bin_folder / "nnfb", "predict", "--list", cwd=place)
    assert "nn_former" in listed and DEVICE in listed
    answer = json.loads(run(bin_folder / "nnfb", "predict", "net.onnx", "--device", DEVICE, "--json", cwd=place))
    assert 0 < answer["low_ms"] < answer["latency_ms"] < answer["high_ms"]
    code = "import nnfb; print(nnfb.predict('net.onnx').latency_ms)"
    assert float(run(bin_folder / "python", "-c", code, cwd=place)) == pytest.approx(answer["latency_ms"], rel=1e-5)


def test_it_answers_for_every_chip_right_after_installation(bin_folder, place):
    answers = json.loads(run(bin_folder / "nnfb", "predict", "net.onnx", "--json", cwd=place))
    assert sorted(answer["device"] for answer in answers) == sorted(CHIPS)
    code = """if True:
        import nnfb, torch
        from torch import nn
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1568, 4))
        answers = nnfb.predict_chips(net, example_input=torch.zeros(1, 3, 16, 16))
        print(min(answer.latency_ms for answer in answers) > 0, nnfb.predict("net.onnx", answers[0].device).latency_ms)
    """
    above, latency = run(bin_folder / "python", "-c", code, cwd=place).split()
    (first,) = (answer for answer in answers if answer["device"] == min(CHIPS))
    assert above == "True" and float(latency) == pytest.approx(first["latency_ms"], rel=1e-5)
    breakdown = run(bin_folder / "nnfb", "predict", "net.onnx", "--device", CHIPS[0], "--by-node", cwd=place)
    assert "operation" in breakdown and "100.0" in breakdown


def test_it_measures_in_a_process_of_its_own(bin_folder, place):
    answer = json.loads(run(bin_folder / "nnfb", "measure", "net.onnx", "--json", cwd=place))
    assert answer["status"] == "ok" and answer["median_ms"] > 0


def test_a_data_set_and_a_cross_validation(bin_folder, place):
    code = """if True:
        import nnfb
        from sklearn.model_selection import cross_val_score
        X, y = nnfb.load_dataset("synthetic201").labelled("test_acc")
        print(cross_val_score(nnfb.GraphRegressor("graf"), X, y, cv=3).mean())
    """
    assert float(run(bin_folder / "python", "-c", code, cwd=place)) > 0.5
    assert list(place.glob(".cache/nnfb/synthetic201/*/graphs.parquet"))
