"""Which predictors there are."""

from __future__ import annotations

import ast
import importlib.util

import polars as pl

from pipeline.core.names import known_predictors, outside_predictors
from pipeline.core.paths import ROOT


def list_predictors() -> pl.DataFrame:
    """Every predictor by name: what it is, and which package brings it. No predictor is imported.

    Columns: predictor, package (`nnfb` or the other package's name), about (first sentence of the file's docstring).
    """
    rows = [
        (name, "nnfb", _first_line((ROOT / "predictors" / f"{name}.py").read_text())) for name in known_predictors()
    ]
    for name, point in outside_predictors().items():
        package = point.dist.name if point.dist else point.module.partition(".")[0]
        rows.append((name, package, _about_module(point.module)))
    return pl.DataFrame(rows, schema={"predictor": pl.String, "package": pl.String, "about": pl.String}, orient="row")


def _about_module(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
        return _first_line(spec.loader.get_source(module)) if spec and spec.loader else ""  # type: ignore[attr-defined]
    except (ImportError, AttributeError, SyntaxError, TypeError):
        return ""


def _first_line(source: str) -> str:
    text = ast.get_docstring(ast.parse(source)) or ""
    return text.partition("\n\n")[0].replace("\n", " ")
