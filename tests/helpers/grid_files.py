"""A small valid grid, and the same with changes."""

from __future__ import annotations

import copy

GOOD = {
    "grid": "tiny",
    "seeds": 2,
    "tasks": [
        {
            "dataset": "synthetic201",
            "protocol": "direct",
            "target": "test_acc",
            "devices": ["any"],
            "budgets": ["0.1", 60],
        },
    ],
    "predictors": {"mean": {}, "nn_former": {}},
}


def changed(**task_or_top) -> dict:
    """`GOOD` with some keys replaced: those of a task in the first task, the others at the top."""
    config = copy.deepcopy(GOOD)
    for key, value in task_or_top.items():
        of_task = key in ("dataset", "protocol", "target", "devices", "budgets") or key.startswith("task_")
        (config["tasks"][0] if of_task else config)[key.removeprefix("task_")] = value
    return config
