"""What the README shows works: its predictor, its settings, its links, and a place for every command."""

import importlib.util
import re
import shutil
import subprocess

import torch
import yaml

from pipeline.config import datasets
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.names import known_predictors, predictor_of
from pipeline.core.paths import ROOT
from pipeline.score import metrics
from tests.helpers.cell_graphs import small_space, synthetic_labels

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_line_of_the_grid_is_a_task_of_it_and_two_more_labels():
    line, variant = map(yaml.safe_load, blocks("yaml"))
    tasks = yaml.safe_load((ROOT / "config/benchmark.yaml").read_text())["tasks"]
    assert line["predictors"] in [[*task["predictors"], "nearest", *variant] for task in tasks]


def test_the_example_predictor_learns_and_its_settings_are_known(tmp_path):
    path = tmp_path / "nearest.py"
    path.write_text(blocks("python")[-1])
    spec = importlib.util.spec_from_file_location("predictors.nearest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graphs = small_space(90)
    labels = synthetic_labels(graphs, "accuracy")
    for label, overrides in {"nearest": {}, **yaml.safe_load(blocks("yaml")[1])}.items():
        assert predictor_of(label) == "nearest"
        predictor = module.Predictor(overrides, "accuracy")
        predictor.fit(graphs[:60], labels[:60])
        predictor.save(tmp_path / label)
        loaded = module.Predictor.load(tmp_path / label)
        assert torch.equal(loaded.predict(graphs), predictor.predict(graphs))
        assert metrics.kendall_tau(predictor.predict(graphs)[60:], labels[60:]) > 0.3


def test_local_links_and_named_files_exist():
    links = {link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link}
    missing = {link for link in links - {"results/leaderboard.md"} if not (ROOT / link).exists()}
    assert not missing
    assert "config/benchmark.yaml" in TEXT and (ROOT / "config" / "nasbench201.yaml").is_file()


def test_the_data_sets_named_are_the_ones_there_are():
    known = datasets.load()
    listed = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", TEXT, re.MULTILINE))
    assert {name: about.n_graphs for name, about in known.items()} == {
        name: int(n.replace(",", "")) for name, n in listed.items()
    }


def test_the_predictors_named_are_the_ones_there_are():
    table = TEXT.partition("## Predictors")[2].partition("###")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == known_predictors()


def test_the_grids_named_are_the_ones_there_are():
    listed = re.findall(r"^\| `config/(\w+).yaml`", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "config").glob("*.yaml") if "grid" in read_yaml(path))


def test_what_git_keeps_is_what_is_said_to_be_kept_in_git(tmp_path):
    """A file of each kind that the table names, as .gitignore has it."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    rows = re.findall(r"^\| (`(?:results|data)/.*?) \| .* \| (git|DVC) \|$", TEXT, re.MULTILINE)
    assert {kept for _, kept in rows} == {"git", "DVC"}
    for names, kept in rows:
        path = re.search("`(.*?)`", names)[1].replace("<grid>", "benchmark").replace("…/<seed>", "a/0")
        path += "file" if path.endswith("/") else ""
        ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=tmp_path)
        assert ignored.returncode == (0 if kept == "DVC" else 1), path


def test_the_make_targets_named_exist():
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (leaderboard|test|pull)\b", TEXT)):
        assert re.search(rf"^{target}:", rules, re.MULTILINE)
