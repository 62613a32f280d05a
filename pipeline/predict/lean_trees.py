"""LightGBM's text of boosted trees without what no answer needs: statistics of the fit, and digits beyond seven."""

from __future__ import annotations

from pipeline.predict.tree_text import parsed, written

DIGITS = {"threshold": 7, "leaf_value": 5}


def lean_trees(text: str) -> str:
    """The same trees in a third of the text. Numbers are rounded, so answers change by a few millionths."""
    head, trees = parsed(text)
    return written(head, [{key: _rounded(key, values) for key, values in tree.items()} for tree in trees])


def _rounded(key: str, values: str) -> str:
    if key not in DIGITS:
        return values
    return " ".join(f"{float(value):.{DIGITS[key]}g}" for value in values.split())
