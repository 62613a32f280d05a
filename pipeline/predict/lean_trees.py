"""LightGBM's text of boosted trees without what no answer needs: statistics of the fit, and digits beyond seven."""

from __future__ import annotations

import re

KEPT = (
    "Tree", "num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child",
    "leaf_value", "is_linear", "shrinkage",
)  # fmt: skip
DIGITS = {"threshold": 7, "leaf_value": 5}
END = "end of trees"


def lean_trees(text: str) -> str:
    """The same trees in a third of the text. Numbers are rounded, so answers change by a few millionths."""
    head, *trees = re.split(r"(?m)^(?=Tree=)", text.partition(END)[0])
    head = re.sub(r"(?m)^tree_sizes=.*\n", "", head)  # of the longer text
    return "".join([head, *map(_lean, trees), END, "\n"])


def _lean(tree: str) -> str:
    pairs = [line.partition("=")[::2] for line in tree.splitlines() if line.partition("=")[0] in KEPT]
    return "\n".join([f"{key}={_rounded(key, values)}" for key, values in pairs]) + "\n\n\n"


def _rounded(key: str, values: str) -> str:
    if key not in DIGITS:
        return values
    return " ".join(f"{float(value):.{DIGITS[key]}g}" for value in values.split())
