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
class Cost:
    """What a network costs: `target` on `device`, which `dataset` has."""

    dataset: str
    target: str
    device: str


@dataclass(frozen=True)
class Limit(Cost):
    """What a choice may cost: among the lowest `share` of these costs."""

    share: float


@dataclass(frozen=True)
class Task:
    """Labels of a data set: `query` is what a search sees, the mean of `report` is what its choice is judged by.

    With a `limit` a query answers the network's cost too, and a network above the limit is no choice. With a `front` it
    answers the cost too, and what is looked for is the front of accuracy against cost. No task has both.
    """

    dataset: str
    query: str
    report: tuple[str, ...]
    limit: Limit | None = None
    front: Cost | None = None

    @property
    def cost(self) -> Cost | None:
        """What a query answers beside the accuracy."""
        return self.limit or self.front

    @property
    def datasets(self) -> tuple[str, ...]:
        """Those whose tables are read."""
        return (self.dataset, self.cost.dataset) if self.cost else (self.dataset,)


@dataclass(frozen=True)
class Method:
    """A way to choose what to query next: `by` is random, evolution, local_search or predictor.

    `warm_steps`: of a neural predictor that goes on from the last round's weights, how many steps it then takes; 0 for
    one that is trained afresh each round. `spaces`: those that it searches, all where there are none.
    """

    name: str
    by: str
    predictor: str
    settings: dict[str, Any]
    acquisition: str
    candidates: str
    warm_steps: int = 0
    spaces: tuple[str, ...] = ()


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

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(space, method) of all searches, method by method."""
        methods = self.methods.items()
        return tuple((space, name) for name, method in methods for space in method.spaces or self.tasks)

    def facts(self, space: str, method: str) -> dict[str, Any]:
        """What decides the searches of a space by a method, as JSON values."""
        about = {"task": asdict(self.tasks[space]), "method": asdict(self.methods[method])}
        del about["method"]["spaces"]
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
    methods = {name: _method(path, name, about, tasks) for name, about in content["methods"].items()}
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
    front = Cost(**about["front"]) if "front" in about else None
    if limit and front:
        raise BenchError(f"{path}: spaces.{name}: a limit and a front; leave one out")
    for key, cost in (("limit", limit), ("front", front)):
        if cost is None:
            continue
        devices = datasets.get(cost.dataset).targets.get(cost.target, ()) if is_cost(cost.target) else ()
        if cost.device not in devices:
            raise BenchError(
                f"{path}: spaces.{name}.{key}: {cost.dataset} has no cost {cost.target!r} on {cost.device!r}; see "
                "config/datasets.yaml"
            )
    return Task(dataset, about["query"], tuple(about["report"]), limit, front)


def _method(path: Path | str, name: str, about: dict, tasks: dict[str, Task]) -> Method:
    predictor = about.get("predictor", "")
    if predictor and predictor not in known_predictors():
        raise BenchError(f"{path}: methods.{name}: no predictor {predictor!r}; known: {', '.join(known_predictors())}")
    if "warm_steps" in about and "ensemble" in about.get("settings", {}):
        raise BenchError(f"{path}: methods.{name}: warm_steps are of one predictor; leave ensemble out")
    by, spaces = about.get("by", "predictor"), tuple(about.get("spaces", ()))
    for space in spaces or tasks:
        if space not in tasks:
            raise BenchError(f"{path}: methods.{name}: no space {space!r}; known: {', '.join(tasks)}")
        if by == "local_search" and tasks[space].front:
            raise BenchError(f"{path}: methods.{name}: local_search finds no front; name other spaces than {space}")
    return Method(
        name, by, predictor, about.get("settings", {}), about.get("acquisition", "mean"),
        about.get("candidates", "sample"), about.get("warm_steps", 0), spaces,
    )  # fmt: skip
