"""Which of the project's files a module runs. The workflow takes them as inputs: changed code runs its cells again.

Static imports are followed. `predictors.base` finds a predictor by name at run time, so no predictor is among the code
of the pipeline or of another predictor: changing or adding one concerns its own cells alone.
"""

from __future__ import annotations

import ast
from functools import cache

from pipeline.core.paths import ROOT

# They carry bytes and check configs, and decide no number: a change here is no reason to train again.
PLUMBING = {
    "pipeline/core/errors.py",
    "pipeline/core/io.py",
    "pipeline/config/datasets.py",
    "pipeline/config/grid.py",
    "pipeline/config/strict_yaml.py",
    "pipeline/plan/code_keys.py",
}


@cache
def code_files(path: str) -> list[str]:
    """`path` and every file of pipeline/ and predictors/ that it imports, sorted, relative to the project's root."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in found and current not in PLUMBING:
            found.add(current)
            waiting += _imports(current)
    return sorted(found)


@cache
def _imports(path: str) -> list[str]:
    """Files of the project that the module at `path` imports, directly."""
    modules = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = (f"{module.replace('.', '/')}.py" for module in modules if module.startswith(("pipeline", "predictors")))
    return [path for path in paths if (ROOT / path).is_file()]
