"""What stands in a grid's file, and the one line for what must not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from pipeline.config.budget import Budget
from pipeline.config.nasflat import FEW_SHOT
from pipeline.config.overrides import MAX_TIMEOUT_S, MAX_WORD
from pipeline.config.strict_yaml import read_yaml
from pipeline.core.errors import BenchError
from pipeline.core.names import LABEL

LONGEST = 80  # characters of a value that a message shows
MAX_NAME = 80  # characters of a name: it is part of the path of a file
MAX_MIRROR = 4000  # characters of a path
TAKEN = ("kept", "models", "predictions", "search", "searches")  # folders of results/ that are no board of a grid
Count = Annotated[StrictInt, Field(ge=1)]
Word = Annotated[StrictStr, Field(max_length=MAX_NAME)]
Label = Annotated[Word, Field(pattern=rf"\A{LABEL.pattern}\z")]
Names = Annotated[list[Word], Field(min_length=1)]
Protocol = Literal[
    "direct", "tnasp", "gates", "in_domain", "leave_one_family_out", *FEW_SHOT, "transfer_platform", "multi_platform"
]


def _budget(value: object) -> Budget:
    """A budget as a grid writes it: a word in quotes, or a number of labels."""
    if type(value) is int and value >= 0:
        return Budget.parse(f"n{value}")
    if isinstance(value, float):
        raise ValueError(f'{value} is not quoted; write a fraction as a string, "{value}"')
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no label budget; write a quoted fraction or a number of labels")
    if len(value) > MAX_WORD:
        raise ValueError(f"'{value[:MAX_WORD]}…' is longer than {MAX_WORD} characters; write a shorter budget")
    try:
        budget = Budget.parse(value)
    except BenchError as error:
        raise ValueError(str(error)) from None
    if budget.faulty:
        raise ValueError(f"{value!r}: write `faulty: true` in the task, not in a budget")
    if budget.sources:
        raise ValueError(f"{value!r}: other devices stand under `sources` of the task, not in a budget")
    return budget


class Strict(BaseModel):
    """A part of the file: unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class SourceDevices(Strict):
    """Other devices (default: all of the target's) whose first labels are trained on as well."""

    labels: Literal["all"] | Count
    devices: Names | None = None


class Task(Strict):
    """One task; docs/protocols.md says what the protocols are.

    `looked_at`: the results of so many seeds had been seen when the others were added; two predictors are compared on
    the others alone where both have them. `faulty`: labels marked as faulty are trained and scored on too.
    """

    dataset: Word
    protocol: Protocol
    target: Word
    budgets: Annotated[list[Annotated[Budget, BeforeValidator(_budget)]], Field(min_length=1)]
    devices: Names = ["any"]
    sources: SourceDevices | None = None
    predictors: Annotated[list[Label], Field(min_length=1)] | None = None
    seeds: Count | None = None
    looked_at: Count | None = None
    faulty: StrictBool = False


class GridFile(Strict):
    """A grid as written. `predictors` maps labels to overrides, or lists labels that need none of their own, for the
    tasks that list none; it may be left out where every task does. `pairs`: two labels each, which the board compares
    seed by seed.
    """

    grid: Annotated[Word, Field(pattern=r"\A[a-z][a-z0-9_]*\z")]
    seeds: Count
    tasks: Annotated[list[Task], Field(min_length=1)]
    predictors: Annotated[dict[Label, dict[StrictStr, Any]] | list[Label], Field(min_length=1)] | None = None
    torch_device: Literal["auto", "cpu", "cuda"] = "auto"
    timeout_s: Annotated[StrictInt, Field(ge=1, le=MAX_TIMEOUT_S)] = 3600
    mirror: Annotated[StrictStr, Field(max_length=MAX_MIRROR)] | None = None
    pairs: tuple[tuple[Label, Label], ...] = ()

    def labels(self, path: str | Path, variants_path: Path) -> dict[str, dict[str, Any]]:
        """Overrides by label; a listed variant is looked up in `variants_path`, which grids share."""
        variants = read_yaml(variants_path)
        if isinstance(self.predictors, dict):
            twice = sorted(set(self.predictors) & set(variants))
            if twice:
                raise BenchError(f"{path}: predictors.{twice[0]}: defined in {variants_path} too; list it by name")
            return self.predictors
        listed = dict.fromkeys([*(self.predictors or ()), *self._listed_by_tasks(path)])
        lost = [label for label in listed if "-" in label and label not in variants]
        if lost:
            raise BenchError(
                f"{path}: predictors: {lost[0]} is not in {variants_path}; define it there, or here as a mapping"
            )
        return {label: variants.get(label, {}) for label in listed}

    def _listed_by_tasks(self, path: str | Path) -> list[str]:
        for position, task in enumerate(self.tasks):
            if task.predictors is None and self.predictors is None:
                raise BenchError(f"{path}: tasks[{position}]: no predictors; list them here, or for the whole grid")
        return list(dict.fromkeys(label for task in self.tasks for label in task.predictors or ()))


def read(path: str | Path) -> GridFile:
    """Read a grid's file. Raises BenchError (one line) where it says something it must not."""
    raw = read_yaml(path, "give a grid of config/")
    try:
        grid = GridFile.model_validate(raw)
    except ValidationError as error:
        raise BenchError(f"{path}: {_deepest_mistake(error)}") from None
    if grid.grid in TAKEN:
        raise BenchError(f"{path}: grid: results/{grid.grid}/ holds something else; choose another name")
    return grid


def _deepest_mistake(error: ValidationError) -> str:
    """The mistake deepest in the file, as `key[2].key: what is wrong`."""
    mistake = max(error.errors(), key=lambda entry: len(entry["loc"]))
    names = [part for part in mistake["loc"] if isinstance(part, int) or part.isidentifier() or LABEL.fullmatch(part)]
    names = [part for part in names if part not in ("constrained-int", "constrained-str")]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in names).removeprefix(".")
    what = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        where, _, key = where.rpartition(".")
        model = SourceDevices if where.endswith("sources") else Task if where else GridFile
        what = f"unknown key {key[:LONGEST]}; known keys: {', '.join(model.model_fields)}"
    elif mistake["type"] == "missing":
        what = "this key is missing; add it"
    elif mistake["type"] == "model_type":
        what = "this is no mapping of keys to values; write one"
    elif mistake["type"] != "value_error":
        value = repr(mistake["input"])
        what = f"{value if len(value) <= LONGEST else f'{value[:LONGEST]}…'}: {what[0].lower()}{what[1:]}"
    return f"{where or 'top level'}: {what}"
