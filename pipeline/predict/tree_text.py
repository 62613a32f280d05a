"""LightGBM's text of boosted trees, which it reads without a check: an index out of bounds ends the process, a loop
never ends."""

from __future__ import annotations

import math
import re
from typing import Any

TREE = (
    "num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value",
    "is_linear", "shrinkage",
)  # fmt: skip
NODES = {"split_feature": int, "threshold": float, "decision_type": int, "left_child": int, "right_child": int}
NUMBERS = re.compile(r"[-+.0-9enaif ]*")  # Python takes more for a number than LightGBM does, such as 1_000
PER_FEATURE = ("feature_names", "feature_infos")
CATEGORICAL = 1  # bit of a decision type
END = "end of trees"


def parsed(text: str) -> tuple[dict[str, str | None], list[dict[str, str]]]:
    """The head of a text and each of its trees, what an answer needs of them. Raises ValueError: a key is missing or
    doubled."""
    head, *trees = re.split(r"(?m)^Tree=.*\n", text.partition(f"\n{END}")[0])
    found = _pairs(head)
    found.pop("tree_sizes", None)  # of the text as it was written
    return found, [{key: pairs[key] or "" for key in TREE} for pairs in map(_pairs, trees)]


def written(head: dict[str, str | None], trees: list[dict[str, str]]) -> str:
    """The text of what `parsed` gave."""
    parts = [head, *({"Tree": str(i), **tree} for i, tree in enumerate(trees))]
    texts = ["".join(f"{k}\n" if v is None else f"{k}={v}\n" for k, v in part.items()) for part in parts]
    return "".join([texts[0], "\n", *(f"{text}\n\n" for text in texts[1:]), f"{END}\n"])


def checked(text: str) -> str:
    """The same trees, in a text that LightGBM can read. Raises ValueError: one of them can't be."""
    if not isinstance(text, str) or re.search(r"[^\n\x20-\x7e]", text):
        raise ValueError("its trees are no text of LightGBM")
    head, trees = parsed(text)
    features = int(head["max_feature_idx"] or "") + 1
    if (head["num_class"], head["num_tree_per_iteration"]) != ("1", "1") or not trees:
        raise ValueError("its trees are not those of one number")
    if head["objective"] != "regression" or any(len((head[k] or "").split()) != features for k in PER_FEATURE):
        raise ValueError("the head of its trees does not fit them")
    for i, tree in enumerate(trees):
        if not _sound(tree, features):
            raise ValueError(f"its tree {i} can't be")
    return written(head, trees)


def checked_notes(notes: Any) -> Any:
    """What a predictor noted, with every text of trees in it `checked`. Raises ValueError as that does."""
    if isinstance(notes, list):
        return [checked_notes(one) for one in notes]
    if not isinstance(notes, dict):
        return notes
    found = {key: checked_notes(value) for key, value in notes.items()}
    if isinstance(found.get("trees"), str):
        found["trees"] = checked(found["trees"])
    if isinstance(found.get("forests"), dict):
        found["forests"] = {kind: checked(forest) for kind, forest in found["forests"].items()}
    return found


def _pairs(text: str) -> dict[str, str | None]:
    pairs = [line.partition("=") for line in text.split("\n") if line]
    found = {key: value if sign else None for key, sign, value in pairs}
    if len(found) != len(pairs):
        raise ValueError("its trees have a key twice")
    return found


def _sound(tree: dict[str, str], features: int) -> bool:
    """Whether all nodes of a tree lead to its leaves."""
    leaves = int(tree["num_leaves"])
    if leaves < 1 or (tree["num_cat"], tree["is_linear"]) != ("0", "0") or not _finite(tree["leaf_value"], leaves):
        return False
    if not math.isfinite(float(tree["shrinkage"])):
        return False
    if leaves == 1:
        return True
    if not all(NUMBERS.fullmatch(tree[key]) for key in NODES):
        return False
    nodes = {key: list(map(kind, tree[key].split())) for key, kind in NODES.items()}
    return (
        all(len(values) == leaves - 1 for values in nodes.values())
        and all(0 <= feature < features for feature in nodes["split_feature"])
        and all(0 <= kind < 16 and not kind & CATEGORICAL for kind in nodes["decision_type"])
        and all(
            i < child < leaves - 1 or -leaves <= child < 0
            for side in ("left_child", "right_child")
            for i, child in enumerate(nodes[side])
        )
    )


def _finite(values: str, n: int) -> bool:
    numbers = list(map(float, values.split())) if NUMBERS.fullmatch(values) else []
    return len(numbers) == n and all(map(math.isfinite, numbers))
