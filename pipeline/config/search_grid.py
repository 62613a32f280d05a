"""What to search and how: config/search.yaml, checked, as dataclasses. No torch and no data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.config import datasets
from pipeline.core.errors import BenchError
from pipeline.core.names import known_predictors
from pipeline.core.paths import ROOT
from pipeline.core.targets import is_cost

CONFIG = ROOT / "config" / "search.yaml"
SCHEMA = ROOT / "workflow" / "schemas" / "search.schema.json"


@dataclass(frozen=True)
class Limit:
    """What a choice may cost: among the lowest `share` of costs `target` on `device`, which `dataset` has."""

    dataset: str
    target: str
    device: str
    share: float


@dataclass(frozen=True)
class Task:
    """Labels of a data set: `query` is what a search sees, the mean of `report` is what its choice is judged by.

    With a `limit` a query answers the network's cost too, and a network above the limit is no choice.
    """

    dataset: str
    query: str
    report: tuple[str, ...]
    limit: Limit | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Those whose tables are read."""
        return (self.dataset, self.limit.dataset) if self.limit else (self.dataset,)


@dataclass(frozen=True)
class Method:
    """A way to choose what to query next: `by` is random, evolution, local_search or predictor."""

    name: str
    by: str
    predictor: str
    settings: dict[str, Any]
    acquisition: str
    candidates: str


@dataclass(frozen=True)
class SearchGrid:
    """A checked file. `budgets`: numbers of queries, rising; `start` random ones come first. `batches`: from how many
    queries on a predictor proposes how many at once. `sample`: candidates drawn each round where not all are ranked."""

    path: str
    seeds: int
    start: int
    budgets: tuple[int, ...]
    batches: tuple[tuple[int, int], ...]
    sample: int
    tasks: dict[str, Task]
    methods: dict[str, Method]

    def facts(self, space: str, method: str) -> dict[str, Any]:
        """What decides the searches of a space by a method, as JSON values."""
        about = {"task": asdict(self.tasks[space]), "method": asdict(self.methods[method])}
        names = ("start", "seeds", "budgets", "batches", "sample")
        return json.loads(json.dumps(about | {name: getattr(self, name) for name in names}))

    def batch(self, queries: int) -> int:
        """How many networks a predictor proposes at once after so many queries, never beyond the next budget."""
        size = [n for since, n in self.batches if since <= queries][-1]
        return min(size, next(budget for budget in self.budgets if budget > queries) - queries)


def load(path: Path | str = CONFIG) -> SearchGrid:
    """The file at `path`. Raises BenchError naming the file and the key that is wrong."""
    content = datasets.read_by_schema(Path(path), SCHEMA)
    tasks = {name: _task(path, name, about) for name, about in content["spaces"].items()}
    methods = {name: _method(path, name, about) for name, about in content["methods"].items()}
    budgets = tuple(content["budgets"])
    if list(budgets) != sorted(set(budgets)) or budgets[0] <= content["start"]:
        raise BenchError(f"{path}: budgets must rise from above start = {content['start']}; mend that key")
    for task in tasks.values():
        n = datasets.get(task.dataset).n_graphs
        if budgets[-1] > n:
            raise BenchError(
                f"{path}: {budgets[-1]} queries of {task.dataset}, which has {n} networks; lower the budgets"
            )
    batches = tuple(sorted((batch["from"], batch["size"]) for batch in content["batches"]))
    if batches[0][0] > content["start"]:
        raise BenchError(f"{path}: batches must say how many from start = {content['start']} on; mend that key")
    return SearchGrid(
        str(path), content["seeds"], content["start"], budgets, batches, content["sample"], tasks, methods
    )  # fmt: skip


def _task(path: Path | str, name: str, about: dict) -> Task:
    dataset = about.get("dataset", name)
    targets = datasets.get(dataset).targets
    for target in (about["query"], *about["report"]):
        if not target.endswith("_acc") or "any" not in targets.get(target, ()):
            known = ", ".join(target for target in targets if target.endswith("_acc"))
            raise BenchError(f"{path}: spaces.{name}: no accuracy {target!r}; known: {known or 'none'}")
    limit = Limit(**about["limit"]) if "limit" in about else None
    if limit:
        devices = datasets.get(limit.dataset).targets.get(limit.target, ()) if is_cost(limit.target) else ()
        if limit.device not in devices:
            raise BenchError(
                f"{path}: spaces.{name}.limit: {limit.dataset} has no cost {limit.target!r} on {limit.device!r}; see "
                "config/datasets.yaml"
            )
    return Task(dataset, about["query"], tuple(about["report"]), limit)


def _method(path: Path | str, name: str, about: dict) -> Method:
    predictor = about.get("predictor", "")
    if predictor and predictor not in known_predictors():
        raise BenchError(f"{path}: methods.{name}: no predictor {predictor!r}; known: {', '.join(known_predictors())}")
    return Method(
        name, about.get("by", "predictor"), predictor, about.get("settings", {}), about.get("acquisition", "mean"),
        about.get("candidates", "sample"),
    )  # fmt: skip
