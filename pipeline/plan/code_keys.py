"""A key of the code that decides a step's numbers, which the workflow hands to its rules: another key, another run.

The key is a hash of the syntax trees of a module and of all project modules that it imports. Comments, docstrings,
annotations of arguments, help texts and the wording of a `BenchError` do not count, and modules that decide no number
are left out.
`predictors.base` finds a predictor by name at run time, so no predictor is among the code of the pipeline or of another
predictor: changing or adding one concerns its own cells alone.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.names import outside_predictors
from pipeline.core.paths import ROOT

PACKAGES = ("pipeline", "predictors")
# They carry bytes, check input, run processes and write down what was run.
PLUMBING = {
    "pipeline/config/datasets.py",  # its facts are a param of their own
    "pipeline/config/grid.py",
    "pipeline/config/grid_file.py",
    "pipeline/config/overrides.py",
    "pipeline/config/strict_yaml.py",
    "pipeline/core/errors.py",
    "pipeline/core/io.py",
    "pipeline/core/memory.py",
    "pipeline/core/parent.py",
    "pipeline/core/paths.py",
    "pipeline/core/provenance.py",
    "pipeline/core/table_checks.py",
    "pipeline/core/workers.py",
    "pipeline/train/command.py",
    "pipeline/train/supervise.py",
}
HELP = {"description", "epilog", "help", "metavar", "prog"}
PARSER_CALLS = {"ArgumentParser", "add_argument", "add_argument_group", "add_parser"}


@cache
def code_key(*paths: str) -> str:
    """Sixteen hex digits: the code at `paths`, relative to the project's root, and all that it imports."""
    digest = hashlib.blake2b(digest_size=8)
    for path in closure(*paths):
        if path not in PLUMBING:
            digest.update(f"{path}\n{_numbers_of(path)}\n".encode())
    return digest.hexdigest()


@cache
def predictor_key(name: str) -> str:
    """The key of a predictor's code. One of another package is keyed by all modules of that package, to the byte."""
    path, outside = f"predictors/{name}.py", outside_predictors()
    if (ROOT / path).is_file() or name not in outside:
        return code_key(path)
    spec = find_spec(outside[name].module.partition(".")[0])
    folders = spec.submodule_search_locations if spec else None
    files = sorted(file for folder in folders or () for file in Path(folder).rglob("*.py"))
    digest = hashlib.blake2b(outside[name].value.encode(), digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def closure(*paths: str) -> list[str]:
    """`paths` and every file of pipeline/ and predictors/ that they import, sorted."""
    files: set[str] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += _imports(path)[0]
    return sorted(files)


def outside_modules(*paths: str) -> list[str]:
    """Modules of other packages that the closure of `paths` imports, sorted; those that may be missing included."""
    return sorted({module for path in closure(*paths) for module in _imports(path)[1]})


@cache
def _tree(path: str) -> ast.Module:
    source = (ROOT / path).read_bytes()
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):  # no reason to plan nothing: whoever imports it will say so
        return ast.parse(f"unreadable = {source!r}")


@cache
def _imports(path: str) -> tuple[list[str], list[str]]:
    """What the module at `path` imports: files of the project, and names of modules from outside."""
    files, outside = {}, {}
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in PACKAGES:
                files |= dict.fromkeys(_files(name))
        if names[0].partition(".")[0] not in PACKAGES:
            outside |= dict.fromkeys(names[:1] if isinstance(node, ast.ImportFrom) else names)
    return list(files), list(outside)


def _absolute(path: str, node: ast.ImportFrom) -> str:
    """The module that a `from` import names, dots resolved."""
    if not node.level:
        return node.module
    package = path.removesuffix(".py").split("/")[: -node.level]
    return ".".join(package + ([node.module] if node.module else []))


def _files(module: str) -> list[str]:
    """The file of a project module and the __init__ of the packages around it; nothing for a name in a module."""
    parts = module.split(".")
    paths = ["/".join((*parts[: i + 1], "__init__.py")) for i in range(len(parts))] + ["/".join(parts) + ".py"]
    return [path for path in paths if (ROOT / path).is_file()]


class _Numbers(ast.NodeTransformer):
    """Drops from a syntax tree what decides no number."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:]  # a docstring
        return super().generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in PARSER_CALLS:
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in HELP]
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") == "BenchError":
            node.exc.args = []
        return self.generic_visit(node)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _numbers_of(path: str) -> str:
    return ast.dump(_Numbers().visit(_tree(path)))
