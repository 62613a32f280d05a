"""The house keeps its order: imports go one way, every package says what it may import, no file is long.

Imports are read from the syntax trees, those inside functions included.
"""

from __future__ import annotations

import ast
import functools
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pipeline.core.paths import ROOT

# Lowest first: a package may import packages of the lines above its own, never one beside it.
LAYERS = (
    ("core",),
    ("config",),
    ("fetch", "spaces", "split"),
    ("onnx",),
    ("export", "measure", "predictors", "proxies", "score"),
    ("convert", "train", "search", "report"),
    ("predict", "plan"),
    ("nnfb",),
)
TOP = {"predictors", "nnfb"}  # packages beside pipeline/, which holds the others

ABOVE_PREDICTORS = {"core"}  # all of the pipeline that a predictor may know
EXTENDS = {
    ("predictors.multipredict", "predictors.nasflat"),
    ("predictors.shared_backbone", "predictors.nn_former"),
    ("predictors.kit.source_trees", "predictors.gbdt"),
}
PACKAGES = [name for layer in LAYERS for name in layer]
TORCH = {
    "pipeline.core.checkpoint",
    "pipeline.core.graphs",
    "pipeline.core.provenance",
    "export",
    "proxies",
    "train",
    "search",
    "predict",
    "predictors",
    "nnfb",
}
NOT_STEPS = {"benchmarks", "contract", "docs", "helpers", "workflow"}  # folders of tests/ beside the packages' own
LONGEST = 300


@functools.cache
def modules() -> dict[str, Path]:
    """Every Python file of the project by its dotted name; a package's __init__ goes by the package's name."""
    files = [
        f
        for top in ("pipeline", "predictors", "nnfb", "benchmarks", "tests")
        for f in sorted((ROOT / top).rglob("*.py"))
    ]
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


def imports_of(name: str) -> set[str]:
    """Dotted names that a module imports anywhere in its text: modules of the project by their own name."""
    found = set()
    for node in ast.walk(ast.parse(modules()[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}:{node.lineno}: write the whole name, not a relative import"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module if module in modules() else node.module for module in whole}
    return found


@functools.cache
def graph() -> dict[str, set[str]]:
    """Imports among the project's own modules."""
    return {name: imports_of(name) & modules().keys() for name in modules()}


def package(module: str) -> str:
    """The package of LAYERS that a module is in; `benchmarks` and `tests` for those."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "pipeline" else first


def imported_packages(name: str) -> set[str]:
    """Packages that the modules of a package import, without itself."""
    return {package(used) for module, all_used in graph().items() if package(module) == name for used in all_used} - {
        name
    }


def said(module: str) -> set[str]:
    """The packages that a package's docstring says it may import."""
    text = " ".join(ast.get_docstring(ast.parse(modules()[module].read_text())).split())
    sentence = re.search(r"In\b.*[Oo]ut: .*\. May import ([^.]*)", text)
    assert sentence, f"{module}: its docstring says `In: ... Out: ... May import ...`"
    return set(re.findall(r"\w+", sentence[1])) & set(PACKAGES)


def test_pipeline_holds_packages_only_and_all_have_a_layer():
    assert [f.name for f in (ROOT / "pipeline").glob("*.py")] == ["__init__.py"]
    folders = {f.parent.name for f in (ROOT / "pipeline").glob("*/*.py")}
    assert folders | TOP == set(PACKAGES)
    assert {f.parent for f in modules().values() if f.is_relative_to(ROOT / "pipeline")} == {
        f.parent for f in modules().values() if f.name == "__init__.py" and f.is_relative_to(ROOT / "pipeline")
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_imports_lower_layers_and_says_which(name):
    layer = next(i for i, names in enumerate(LAYERS) if name in names)
    used = imported_packages(name)
    assert used <= {lower for names in LAYERS[:layer] for lower in names}
    assert said(name if name in TOP else f"pipeline.{name}") == used


def test_predictors_know_graphs_and_their_shared_parts_only():
    assert imported_packages("predictors") == ABOVE_PREDICTORS
    between = {(a, b) for a, used in graph().items() for b in used if b.startswith("predictors.")}
    shared = {pair for pair in between if pair[1] == "predictors.base" or pair[1].startswith("predictors.kit.")}
    assert {(a, b) for a, b in between - shared if a.startswith("predictors.")} == EXTENDS
    assert "predictors.base" not in {a for a, b in between}


def test_no_circle_among_modules():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_the_project_knows_neither_its_tests_nor_its_benchmarks():
    for module, used in graph().items():
        if package(module) not in ("tests", "benchmarks"):
            assert not {package(name) for name in used} & {"tests", "benchmarks"}, module


def test_no_test_module_is_imported():
    for module, used in graph().items():
        assert not [name for name in used if name.rpartition(".")[2].startswith("test_")], module


def test_the_tests_are_the_same_tree():
    folders = {f.parent.name for f in (ROOT / "tests").glob("*/*.py")}
    assert folders == NOT_STEPS | set(PACKAGES)


def test_torch_where_it_is_needed_and_pandas_nowhere():
    for module in modules():
        used = {name.partition(".")[0] for name in imports_of(module)}
        assert "pandas" not in used, module
        if package(module) in PACKAGES and not TORCH & {module, package(module)}:
            assert "torch" not in used, module


@pytest.mark.parametrize("pattern", ["*.py", "*.smk", "Snakefile"])
def test_no_file_is_long(pattern):
    files = [f for f in ROOT.rglob(pattern) if not any(part.startswith(".") for part in f.relative_to(ROOT).parts)]
    assert files
    lines = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}
    assert {name: n for name, n in lines.items() if n > LONGEST} == {}


def test_the_architecture_page_has_these_layers():
    text = " ".join((ROOT / "docs" / "architecture.md").read_text().split())
    assert " < ".join(", ".join(f"`{name}`" for name in layer) for layer in LAYERS) in text
    assert re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.M) == PACKAGES
    assert "docs/architecture.md" in (ROOT / "README.md").read_text()
