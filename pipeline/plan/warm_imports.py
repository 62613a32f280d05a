"""What the warm process imports for a grid: what its cells import, but not the predictors' own files.

Those are the code under test: each is imported in the child that runs it, where a fault is a row and not a dead server.
"""

from __future__ import annotations

from pipeline.config.grid import Grid
from pipeline.core.names import known_predictors
from pipeline.plan.code_keys import closure, outside_modules


def modules_of(grid: Grid, saves: bool) -> list[str]:
    """Names of modules, those of other packages first. `saves`: whether the grid saves predictors."""
    here = known_predictors()
    predictors = {f"predictors/{cell.predictor}.py" for cell in grid.cells if cell.predictor in here}
    step = "pipeline/predict/save.py" if saves else "pipeline/train/command.py"
    paths = (step, *sorted(predictors))
    project = [path for path in closure(*paths) if path not in predictors and not path.endswith("__init__.py")]
    return outside_modules(*paths) + [path.removesuffix(".py").replace("/", ".") for path in project]
