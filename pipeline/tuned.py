"""Whose settings were chosen with a data set's test labels in sight (config/tuned.yaml)."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.errors import BenchError
from pipeline.grid import predictor_of

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config" / "tuned.yaml"


def load(path: Path | str = CONFIG) -> dict[str, list[str]]:
    """Names of data sets by predictor. Raises BenchError: not such a mapping."""
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BenchError(f"{path}: cannot read: {error}; restore the file") from error
    if not isinstance(found, dict) or not all(isinstance(names, list) for names in found.values()):
        raise BenchError(f"{path}: must give a list of data sets for each predictor; mend it")
    return found


def on(found: dict[str, list[str]], dataset: str, labels: list[str]) -> list[str]:
    """Predictors of the grid's ``labels`` whose settings were chosen with labels of ``dataset`` in sight."""
    return [p for p in dict.fromkeys(map(predictor_of, labels)) if dataset in found.get(p, ())]
