"""What a name says: which predictor a label is of, which predictors there are, which one this is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pipeline.core.paths import ROOT

FOCUS = "nn_former"  # the predictor that this benchmark is about
AS_PUBLISHED = ("paper", "released")  # its variants whose names begin so keep to the paper or to its released code
NO_SIBLINGS = "no_siblings"  # a variant so named, or ending so, lacks masks of siblings and nothing else
RECIPES = ("paper", "common", "pretrained")  # variants so named, or ending so, are trained by such a recipe
ENTRY_POINTS = "nn_former_bench.predictors"
LABEL = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)?")


def predictor_of(label: str) -> str:
    """The predictor (module name) of a label `<predictor>` or `<predictor>-<variant>`."""
    return label.partition("-")[0]


def known_predictors(folder: Path = ROOT / "predictors") -> list[str]:
    """Names of the predictor files in a folder: every module but base.py."""
    names = (path.stem for path in folder.glob("*.py"))
    return sorted(name for name in names if name not in ("base", "__init__"))


def outside_predictors() -> dict[str, EntryPoint]:
    """Predictors of other packages that are installed, by name: entry points of the group `ENTRY_POINTS`.

    Names of files in predictors/ are left out: what is here comes first.
    """
    here = known_predictors()
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    return {name: found[name] for name in sorted(found) if LABEL.fullmatch(name) and name not in here}


def is_focus(label: str) -> bool:
    """True for NN-Former and its variants."""
    return predictor_of(label) == FOCUS


def is_as_published(label: str) -> bool:
    """True for NN-Former as published: `nn_former-paper`, `nn_former-released`, and labels that go on from these."""
    return is_focus(label) and label.partition("-")[2].startswith(AS_PUBLISHED)


def recipe_of(label: str) -> tuple[str, str] | None:
    """(architecture, recipe) of a label that names one of RECIPES: `flan-common` is flan, `nn_former-alive_common` is
    nn_former-alive, each by the common recipe. NN-Former's other forms are by its default, the common recipe with
    pre-training. None of other labels."""
    for recipe in RECIPES:
        for mark in ("-", "_"):
            architecture = label.removesuffix(f"{mark}{recipe}")
            if "-" in label and architecture != label:
                return architecture, recipe
    return (label, "pretrained") if is_focus(label) and not is_as_published(label) else None


def lacks_siblings_alone(label: str, other: str) -> bool:
    """True where ``label`` is ``other`` without its masks of siblings: `nn_former-latency_no_siblings` and
    `nn_former-latency`."""
    return label in (f"{other}-{NO_SIBLINGS}", f"{other}_{NO_SIBLINGS}")


def focus_first(labels: Iterable[str]) -> list[str]:
    """NN-Former first, then its variants, then the others by name."""
    return sorted(labels, key=lambda label: (label != FOCUS, not is_focus(label), label))
