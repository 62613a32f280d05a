"""What the documentation shows works: its commands, its examples, its links.

Commands are the lines of blocks marked ``sh`` and indented lines that begin with a program. Each is run, in a copy of
the project that has saved predictors (of made-up latencies) and the example data set, by the first rule that fits:

- ``make`` and ``snakemake`` as a dry run (``-n``): a target, rule, grid or option that is not there fails; those of
  the Slurm profile where its plugin is installed;
- what installs, needs the network, or takes more than seconds (`SLOW`), and commands with a placeholder (a word in
  capitals that is no file), with ``--help``: the module must be there and have every option that is named;
- ``pytest``: the files that are named must be there;
- any other ``python -m pipeline...`` or ``nnfb ...`` as it stands, with the tables of the data set of tests at hand.

A command that no rule fits fails the test. What is Python runs in a fork of one process that has imported the packages.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
import torch
import yaml

from pipeline.config.budget import Budget, Kind
from pipeline.config.grid import BUDGETS, DRAWN
from pipeline.config.grid_file import Protocol
from pipeline.core.paths import ROOT
from pipeline.predict import saved
from pipeline.score import metrics
from pipeline.train import warm
from predictors import base
from tests.helpers.cell_graphs import small_space, synthetic_labels
from tests.helpers.onnx_networks import networks
from tests.helpers.project_copy import BIN, PARTS, copy_project, environment
from tests.helpers.saved_fixtures import save, write_tables

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("python", "nnfb", "snakemake", "make", "pytest", "dvc", "pip", ".")
SLOW = (
    *("pip", "dvc", "python -m venv", "python -m benchmarks"),
    "python -m pipeline.report.boards",  # `nnfb report`, which is run, by its other name
    *("python -m pipeline.measure", "python -m pipeline.fetch nnlqp", "nnfb measure", "python -m pipeline.proxies"),
)
DEVICE = "ort-cpu-fp32-1t"
HEAVY = ("jsonschema", "lightgbm", "matplotlib.pyplot", "onnx", "polars", "scipy.stats", "snakemake.cli", "torch")


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[str]:
    """Every command of a page, one program each, without comments."""
    lines = [line for language in ("sh", "bash") for block in blocks(path, language) for line in block.splitlines()]
    indented = re.findall(r"^    (\S.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    lines += [line for line in indented if line.split()[0] in PROGRAMS]
    split = [shlex.join(shlex.split(line, comments=True)).split(" '&&' ") for line in lines]
    return [command for parts in split for command in parts if command]


FOUND = {command: path.name for path in reversed(DOCS) for command in commands(path)}  # each once
COMMANDS = [pytest.param(command, id=f"{page}: {command}") for command, page in FOUND.items()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory, request) -> Path:
    """The project with its own default grid, saved predictors, the example data set and an ONNX file."""
    folder = copy_project(tmp_path_factory.mktemp("docs") / "bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        server = warm.start(list(HEAVY))
    request.addfinalizer(lambda: warm.end(server))
    shutil.copy(ROOT / "config/benchmark.yaml", folder / "config/benchmark.yaml")
    shutil.copy(ROOT / "Makefile", folder / "Makefile")
    for part in ("benchmarks", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    made_here = shutil.ignore_patterns("predictions", "models", "html", "smoke")
    shutil.copytree(ROOT / "results", folder / "results", ignore=made_here)
    data = write_tables(folder / "made_up", device=DEVICE)
    save(data, folder / "results/models", "nn_former", device=DEVICE)
    (folder / "MODEL.onnx").write_bytes(networks(1)[0][1])
    page = ROOT / "docs/adding_a_dataset.md"
    config = folder / "config/datasets.yaml"
    config.write_text(config.read_text() + "\n" + blocks(page, "yaml")[0])
    (folder / "pipeline/convert/mine.py").write_text(blocks(page, "python")[0])
    (folder / "mirror/mine").mkdir(parents=True)
    (folder / "mirror/mine/cells.csv").write_text(blocks(page, "csv")[0])
    (folder / "config/mine.yaml").write_text(blocks(ROOT / "docs/quick_start.md", "yaml")[0])
    (folder / "predictors/nearest.py").write_text(blocks(ROOT / "README.md", "python")[-1])
    (folder / "predictors/bag.py").write_text(blocks(ROOT / "docs/adding_a_predictor.md", "python")[0])
    run(folder, ["python", "-c", blocks(ROOT / "docs/external_results.md", "python")[0]])
    tables = "data/parquet/synthetic201"
    run(folder, ["python", "-m", "pipeline.convert.synthetic201", "--raw", ".", "--out", tables])
    split = ["python", "-m", "pipeline.split", "--dataset", "synthetic201", "--seed", "0"]
    run(folder, [*split, "--graphs", f"{tables}/graphs.parquet", "--out", "data/splits/synthetic201/0.parquet"])
    return folder


def run(folder: Path, command: list[str]) -> str:
    """Output of a command in the copy; it must succeed."""
    command = ["python", "-m", *command] if command[0] in ("nnfb", "snakemake") else command
    if command[:2] == ["python", "-m"]:
        command = [sys.executable, "-IS", "pipeline/train/ask_warm.py", *command[2:]]
    programs = {"python": [sys.executable], **{name: [str(BIN / name)] for name in ("dvc", "pip")}}
    command = [*programs.get(command[0], command[:1]), *command[1:]]
    outer = {**environment(), "PYTHONPATH": str(folder), "BENCH_MIRROR": str(folder / "mirror")}
    outer["NNFB_CACHE"] = str(folder / "cache")
    done = subprocess.run(command, cwd=folder, env=outer, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def is_placeholder(folder: Path, word: str) -> bool:
    """A word in capitals, or in brackets, that stands for something else."""
    return bool(re.search(r"[A-Z]{2,}|\[", word)) and not (folder / word).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(copy, command):
    words = shlex.split(command)
    program = words[0]
    if "profiles/slurm" in words and not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("the extra [slurm] is not installed")
    if words[:3] == ["python", "-m", "tests.helpers.slurm_cluster"]:
        words = words[3:]  # what runs there; the cluster is of tests/workflow/test_slurm.py
        program = words[0]
    if program in ("make", "snakemake"):
        extra = [] if "-n" in words else ["-n"]
        run(copy, [*words, *extra])
    elif command == ". .venv/bin/activate":
        pass  # follows `python -m venv .venv`, which is checked by itself
    elif command.startswith(SLOW) or any(is_placeholder(copy, word) for word in words):
        named = 3 if words[1] == "-m" else 2
        text = run(copy, [*words[:named], "--help"])
        options = [word.strip("[]") for word in words[named:] if re.match(r"\[?--?[a-z]", word)]
        assert not [option for option in options if option not in text]
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in words[1:] if word.startswith("tests"))
    elif command.startswith(("python -m pipeline.", "nnfb ")):
        run(copy, words)
    else:
        pytest.fail(f"no rule for {command!r}; see the docstring of {Path(__file__).name}")


def test_there_is_something_to_run():
    assert len(COMMANDS) > 20
    assert set(PARTS) <= {path.name for path in ROOT.iterdir()}


def test_the_three_lines_of_python(copy, monkeypatch, capsys):
    monkeypatch.setattr(saved, "MODELS", copy / "results/models")
    monkeypatch.chdir(copy)
    (code,) = blocks(ROOT / "docs/predict.md", "python")
    exec(compile(code, "predict.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0


@pytest.mark.parametrize("page", ["README.md", "docs/package.md"])
def test_the_package_from_python(copy, page):
    """As it stands, but for the labels: made-up ones, which need no download."""
    code = blocks(ROOT / page, "python")[0].replace("nasbench201", "synthetic201")
    (copy / "as_shown.py").write_text(code)
    assert "\n" in run(copy, ["python", "-m", "as_shown"]).strip()


def test_a_cell_from_python_is_the_cell_of_the_command(copy, monkeypatch):
    page = ROOT / "docs/adding_a_predictor.md"
    (command,) = [words for line in commands(page) if "pipeline.train" in (words := shlex.split(line))]
    run(copy, command)
    monkeypatch.chdir(copy)
    names = {}
    exec(compile(blocks(page, "python")[1], page.name, "exec"), names)
    trained, written = names["trained"], pl.read_parquet(copy / "data/one_cell.parquet")
    assert trained.about["status"] == "ok"
    assert trained.prediction.float().tolist() == written["prediction"].to_list()


@pytest.mark.slow
def test_the_example_predictors_keep_the_contract(copy):
    output = run(copy, ["python", "-m", "pytest", "-q", "tests/contract", "-k", "bag or nearest"])
    assert "failed" not in output and "[100%]" in output


def table(path: Path, first: str) -> dict[str, list[str]]:
    """The rows of the table of a page whose heading begins with `first`: their first cell, and the others."""
    lines = path.read_text(encoding="utf-8").partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def test_the_protocols_page_has_every_protocol_with_the_budgets_it_takes():
    words = {"fraction": Kind.FRACTION, "number": Kind.COUNT, "`all`": Kind.WHOLE, "`stage`": Kind.MARKED}
    words["`without-<family>`"] = Kind.FAMILY
    said = {}
    for names, (*_, budgets) in table(ROOT / "docs/protocols.md", "Protocol").items():
        kinds = tuple(words[word] for word in budgets.split(", "))
        said |= dict.fromkeys(re.findall(r"`(\w+)`", names), kinds)
        if "eleven more" in names:
            listed = table(ROOT / "docs/protocols.md", "Task")
            said |= dict.fromkeys((word.strip("`") for word in listed), kinds)
    assert said == {protocol: BUDGETS.get(protocol, DRAWN) for protocol in get_args(Protocol)}


def test_the_protocols_page_has_every_kind_of_budget_by_its_word():
    rows = table(ROOT / "docs/protocols.md", "In a grid").values()
    found = [Budget.parse(word.strip("`")) for word, *_ in rows]
    assert [budget.kind for budget in found] == list(Kind)
    assert [f"`{budget}`" for budget in found] == [word for word, *_ in rows]


def test_the_predictors_page_has_the_recipes_of_the_presets():
    rows = table(ROOT / "docs/predictors.md", "Preset `paper` of")
    for name, (loss, epochs, batch, rate, decay, _) in rows.items():
        recipe = base.load(name.strip("`")).resolve({"preset": "paper"})
        assert (recipe.loss, recipe.epochs, recipe.batch_size) == (loss, int(epochs), int(batch)), name
        assert (recipe.lr, recipe.weight_decay) == (float(rate.removesuffix(", constant")), float(decay)), name
        assert (recipe.lr_floor == 1) == rate.endswith(", constant"), name


def test_every_benchmark_is_listed():
    text = (ROOT / "docs/architecture.md").read_text()
    there = {f.stem for f in (ROOT / "benchmarks").glob("*.py") if '__name__ == "__main__"' in f.read_text()}
    assert set(re.findall(r"`benchmarks\.(\w+)`", text)) == there


def test_the_neural_example_learns_and_keeps_the_contract(tmp_path):
    code, *_ = blocks(ROOT / "docs/adding_a_predictor.md", "python")
    path = tmp_path / "bag.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("predictors.bag", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graphs = small_space(90)
    labels = synthetic_labels(graphs, "accuracy")
    predictor = module.Predictor({}, "accuracy")
    predictor.fit(graphs[:60], labels[:60])
    assert metrics.kendall_tau(predictor.predict(graphs)[60:], labels[60:]) > 0.5
    predictor.save(tmp_path)
    assert torch.equal(module.Predictor.load(tmp_path).predict(graphs), predictor.predict(graphs))


def test_the_example_data_set_is_the_file_it_pins():
    page = ROOT / "docs/adding_a_dataset.md"
    content = blocks(page, "csv")[0].encode()
    (source,) = yaml.safe_load(blocks(page, "yaml")[0])["mine"]["sources"]
    pin = source["files"]["cells.csv"]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (pin["bytes"], pin["sha256"])


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_local_links_exist(path):
    text = path.read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link}
    assert not {link for link in links if not (path.parent / link).exists()}


def test_every_page_is_linked_from_the_readme():
    text = DOCS[0].read_text(encoding="utf-8")
    assert not [path.name for path in DOCS[1:] if f"docs/{path.name}" not in text]
