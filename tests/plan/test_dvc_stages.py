"""A stage of DVC depends on all the code that its rules run."""

from __future__ import annotations

import re

import pytest
import yaml

from pipeline.core.paths import ROOT
from pipeline.plan.code_keys import closure

RULES = {
    "data": ("fetch", "convert", "measure", "split"),
    "train": ("train", "predict"),
    "report": ("score", "report"),
}
COMMAND = re.compile(r"(?:python -m|ask_warm\.py) ([\w.]+(?:\{wildcards\.dataset:q\})?)")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def entries(rules: str) -> set[str]:
    """The files of the modules that a file of rules starts."""
    text = (ROOT / f"workflow/rules/{rules}.smk").read_text()
    modules = COMMAND.findall("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    paths = set()
    for module in modules:
        path = module.replace(".", "/")
        if path.endswith("{wildcards/dataset:q}"):
            paths |= {str(p.relative_to(ROOT)) for p in (ROOT / "pipeline/convert").glob("*.py")}
        else:
            paths.add(f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py")
    return paths


def code_of(stage: str) -> set[str]:
    """Every file of the project's code that the stage runs."""
    paths = set().union(*(entries(rules) for rules in RULES[stage]))
    if any("ask_warm.py" in (ROOT / f"workflow/rules/{rules}.smk").read_text() for rules in RULES[stage]):
        paths |= {"pipeline/train/ask_warm.py", "pipeline/train/warm.py"}
        paths |= {str(path.relative_to(ROOT)) for path in (ROOT / "predictors").glob("*.py")}
    return set(closure(*paths))


def missing(stage: str, deps: list[str]) -> set[str]:
    """Code of the stage that is below none of `deps`."""
    return {path for path in code_of(stage) if not any(path == dep or path.startswith(f"{dep}/") for dep in deps)}


@pytest.mark.parametrize("stage", RULES)
def test_a_stage_depends_on_all_code_that_it_runs(stage):
    deps = STAGES[stage]["deps"]
    assert missing(stage, deps) == set()
    rules = {f"workflow/rules/{name}.smk" for name in (*RULES[stage], "common")}
    assert rules | {"Snakefile", "config/benchmark.yaml", "config/datasets.yaml", "config/predictors.yaml"} <= set(deps)


def test_a_dependency_left_out_is_seen():
    deps = [dep for dep in STAGES["train"]["deps"] if dep != "pipeline/split"]
    assert "pipeline/split/training_set.py" in missing("train", deps)
    assert {"pipeline/train/cell.py", "predictors/nn_former.py", "predictors/kit/neural.py"} <= code_of("train")
    assert {"pipeline/convert/nnlqp.py", "pipeline/measure/run.py", "pipeline/split/splits.py"} <= code_of("data")


def test_every_file_of_rules_belongs_to_a_stage_or_is_known_to_be_none():
    files = {path.stem for path in (ROOT / "workflow/rules").glob("*.smk")}
    assert files == {"common", "estimate", "proxies", "search"}.union(*RULES.values())


def test_caches_and_records_are_no_dependencies():
    assert {"__pycache__", ".snakemake"} <= set((ROOT / ".dvcignore").read_text().split())
