"""The command: every subcommand explains itself, starts light, and ends with the status that is documented."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nnfb import __version__
from nnfb.command import SUBCOMMANDS, main
from pipeline.core.paths import ROOT
from tests.helpers.onnx_networks import networks

HEAVY = ("numpy", "polars", "torch", "onnx", "sklearn", "snakemake", "yaml", "pydantic")


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def nnfb(monkeypatch, capsys, tmp_path):
    """The command, run to its end in this process."""

    def run(*words: object, cwd: Path = ROOT) -> Done:
        monkeypatch.setattr(sys, "argv", ["nnfb", *map(str, words)])
        monkeypatch.setenv("NNFB_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    path.write_bytes(networks(1)[0][1])
    return path


def test_help_lists_every_module_and_the_exit_statuses(nnfb):
    text = nnfb("--help").stdout
    modules = {path.stem for path in (ROOT / "nnfb/cli").glob("*.py")} - {"__init__"}
    assert modules == set(SUBCOMMANDS) and all(f"  {name} " in text for name in modules)
    assert all(f"  {status} " in text for status in (0, 1, 2, 130, 141))
    page = (ROOT / "docs/package.md").read_text()
    assert all(f"| `nnfb {name}` |" in page for name in modules)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_with_examples(nnfb, name):
    done = nnfb(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: nnfb {name}")
    assert f"examples:\n  nnfb {name}" in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["predict", "--help"], ["measure", "--help"], ["graph", "--help"]])
def test_it_starts_without_the_heavy_packages(words):
    code = (
        f"import sys; sys.argv = ['nnfb', *{words!r}]\nfrom nnfb.command import main\n"
        f"try: main()\nexcept SystemExit: print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_statuses_are_those_documented(nnfb, file, tmp_path):
    assert nnfb("--version").stdout == f"nnfb {__version__}\n"
    assert nnfb().returncode == 2
    unknown = nnfb("leaderbord")
    assert unknown.returncode == 2 and "leaderboard" in unknown.stderr
    assert nnfb("predict").returncode == 2 and nnfb("graph").returncode == 2
    for words in (["datasets", "nope"], ["check", "nope"], ["estimate", "--grid", "nope"], ["leaderboard"], ["report"]):
        refused = nnfb(*words, cwd=tmp_path)
        assert refused.returncode == 1 and refused.stderr.startswith("error: "), words
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
    no_grid = nnfb("leaderboard", "--grid", "nope", cwd=ROOT)
    assert no_grid.returncode == 1 and no_grid.stderr.startswith("error: nope: no such file")
    some = nnfb("graph", tmp_path / "none.onnx", file, "--json")
    assert some.returncode == 1 and json.loads(some.stdout)["file"] == str(file)


def test_graph_counts_what_predictors_see(nnfb, file):
    from pipeline.onnx.graph import read_graph

    graph = read_graph(file, batch_size=2)
    about, *nodes = map(json.loads, nnfb("graph", file, "--batch-size", 2, "--nodes", "--json").stdout.splitlines())
    assert about["batch_size"] == 2 and about["macs"] == graph.macs.sum() > 0
    assert [node["op"] for node in nodes] == list(graph.ops)
    assert sum(node["params"] for node in nodes) == about["params"] == graph.params.sum()
    assert f"{len(graph.ops)} nodes" in nnfb("graph", file).stdout


def test_lists_and_a_data_set(nnfb):
    rows = json.loads(nnfb("predictors", "--json").stdout)
    assert {"nn_former", "mean"} <= {row["predictor"] for row in rows} and all(row["about"] for row in rows)
    listed = json.loads(nnfb("datasets", "--json").stdout)
    assert not any(row["cached"] for row in listed)
    assert "300 networks" in nnfb("datasets", "synthetic201").stdout
    listed = json.loads(nnfb("datasets", "--json").stdout)
    assert [row["dataset"] for row in listed if row["cached"]] == ["synthetic201"]


def test_completion_knows_the_options_of_every_subcommand(nnfb):
    script = nnfb("completion", "bash").stdout
    assert all(f"_nnfb_{name}_option_strings" in script for name in SUBCOMMANDS)
    assert "--batch-size" in script
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
