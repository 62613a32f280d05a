"""What the README shows works: its predictor, its settings, its links, and a place for every command."""

import importlib.util
import re

import torch
import yaml

from pipeline.config import datasets
from pipeline.core.paths import ROOT
from pipeline.score import metrics
from tests.helpers.cell_graphs import small_space, synthetic_labels

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first code block of a language."""
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL).group(1)


def test_the_example_predictor_learns_and_its_settings_are_known(tmp_path):
    path = tmp_path / "nearest.py"
    path.write_text(block("python"))
    spec = importlib.util.spec_from_file_location("predictors.nearest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graphs = small_space(90)
    labels = synthetic_labels(graphs, "accuracy")
    for label, overrides in yaml.safe_load(block("yaml")).items():
        assert label.partition("-")[0] == "nearest"
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
    assert {name: known[name].n_graphs for name in listed} == {k: int(v.replace(",", "")) for k, v in listed.items()}


def test_the_make_targets_named_exist():
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (leaderboard|test|pull)\b", TEXT)):
        assert re.search(rf"^{target}:", rules, re.MULTILINE)
