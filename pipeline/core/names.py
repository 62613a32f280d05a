"""What a name says: which predictor a label is of, which predictors there are, which one this is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.paths import ROOT

FOCUS = "nn_former"  # the predictor that this benchmark is about
LABEL = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)?")


def predictor_of(label: str) -> str:
    """The predictor (module name) of a label `<predictor>` or `<predictor>-<variant>`."""
    return label.partition("-")[0]


def known_predictors(folder: Path = ROOT / "predictors") -> list[str]:
    """Names of the predictor files in a folder: every module but base.py."""
    names = (path.stem for path in folder.glob("*.py"))
    return sorted(name for name in names if name not in ("base", "__init__"))


def is_focus(label: str) -> bool:
    """True for NN-Former and its variants."""
    return predictor_of(label) == FOCUS


def focus_first(labels: Iterable[str]) -> list[str]:
    """NN-Former first, then its variants, then the others by name."""
    return sorted(labels, key=lambda label: (label != FOCUS, not is_focus(label), label))
