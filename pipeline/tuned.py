"""Whose settings were chosen with a data set's test labels in sight (config/tuned.yaml)."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline import datasets
from pipeline.errors import BenchError
from pipeline.grid import predictor_of

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config" / "tuned.yaml"


def load(path: Path | str = CONFIG) -> dict[str, list[str]]:
    """Names of data sets by predictor. Raises BenchError: not such a mapping, an unknown predictor or data set."""
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BenchError(f"{path}: cannot read: {error}; restore the file") from error
    if not isinstance(found, dict) or not all(isinstance(names, list) for names in found.values()):
        raise BenchError(f"{path}: must give a list of data sets for each predictor; mend it")
    known = set(datasets.load())
    for predictor, names in found.items():
        if not (ROOT / "predictors" / f"{predictor}.py").is_file():
            raise BenchError(f"{path}: there is no predictors/{predictor}.py; mend the name")
        unknown = sorted(set(map(str, names)) - known)
        if unknown:
            raise BenchError(f"{path}: {predictor}: {unknown[0]} is not in config/datasets.yaml; mend the name")
    return found


def on(found: dict[str, list[str]], dataset: str, labels: list[str]) -> list[str]:
    """Predictors of the grid's ``labels`` whose settings were chosen with labels of ``dataset`` in sight."""
    return [p for p in dict.fromkeys(map(predictor_of, labels)) if dataset in found.get(p, ())]
