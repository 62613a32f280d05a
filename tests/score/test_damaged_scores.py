"""What stands beside the numbers of a table of scores, or beside its file, and is no such: one line names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.score import external, label_noise, messages, score_table, scores
from tests.helpers.score_fixtures import RESULT as ABOUT
from tests.helpers.score_fixtures import score_rows_of

NOISE = {"dataset": "d", "scored_on": "lat_ms", "device": "a", "kind": "second", "n": 30}
NOISE |= {"values": {"kendall_tau": 0.9, "mape": 1.0, "acc10": 99.0}}
LIKENESS = {"dataset": "d", "target": "lat_ms", "devices": ["a", "b", "c"], "rho": [0.5, 0.25, 0.0]}
MESSAGE = ["d", "lat_ms", "a", "mlp", "n4", 0, "too slow"]
RESULT = {"about": ABOUT, "n_networks": 300, "scores": {"0": {"all": {"mape": 1.0}, "test": {"mape": None}}}}
WORDS = ([], {}, None, 5)
NO_NUMBERS = (1e101, -1e101, 10**400, "1", [1.0], True)


def without(mapping: dict, key: str) -> dict:
    return {name: value for name, value in mapping.items() if name != key}


def by_seed(**metrics: object) -> dict:
    return {"0": {"all": {}, "test": metrics}}


NOISES = [
    *(NOISE | {key: word} for key in ("dataset", "scored_on", "device", "kind") for word in WORDS),
    *(NOISE | {"n": number} for number in (None, 1.5, "30", True, 10**400)),
    *(NOISE | {"values": NOISE["values"] | {"mape": number}} for number in (*NO_NUMBERS, None)),
    *(NOISE | {"values": values} for values in ([], None, {}, {"kendall_tau": 0.9}, without(NOISE["values"], "acc10"))),
    NOISE | {"kind": "additive"}, NOISE | {"kind": "busy"}, NOISE | {"x" * 10**5: 0}, without(NOISE, "n"), [], "noise",
]  # fmt: skip
LIKENESSES = [
    *(LIKENESS | {key: word} for key in ("dataset", "target", "devices") for word in WORDS),
    *(LIKENESS | {"rho": [0.5, number, 0.0]} for number in (*NO_NUMBERS, 1.5, -1.5, None)),
    LIKENESS | {"rho": [0.5]}, LIKENESS | {"rho": None}, LIKENESS | {"devices": ["a", "b", []]},
    LIKENESS | {"devices": ["a"], "rho": []}, without(LIKENESS, "rho"), [], "likeness",
]  # fmt: skip
MESSAGES = [
    *(MESSAGE[:at] + [word] + MESSAGE[at + 1 :] for at in range(len(MESSAGE)) for word in ([], {}, None, 1.5)),
    MESSAGE[1:], [*MESSAGE, ""], [], {}, "message", 5,
]  # fmt: skip
RESULTS = [
    *(RESULT | {"scores": scores} for scores in ({"0": {}}, {}, [], 5, {"x": RESULT["scores"]["0"]}, {"0": []})),
    *(RESULT | {"scores": {"0": {"all": {}, "test": given}}} for given in ([], 5, None, "text")),
    *(RESULT | {"scores": by_seed(mape=number)} for number in NO_NUMBERS),
    *(RESULT | {"n_networks": n} for n in (None, "300", 1.5, [], True, 10**400)),
    *(without(RESULT, key) for key in RESULT),
    RESULT | {"scores": {"0": {"all": {}}}}, RESULT | {"about": ABOUT | {"by": "x" * 10**5}}, {"about": {}}, 5, [],
]  # fmt: skip
HUGE = json.dumps([RESULT | {"n_networks": 0}]).replace('"n_networks": 0', '"n_networks": 1e400')
TEXTS = ["[" * 10**5, "{", "5", "{}{}", HUGE, *(json.dumps([result]) for result in RESULTS)]


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """A grid of one cell; its scores stand beside it."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "grid: tiny\nseeds: 1\npredictors: [mean]\ntasks:\n"
        '  - {dataset: synthetic201, protocol: direct, target: test_acc, budgets: ["0.05"]}\n'
    )
    rows = score_rows_of({("mean", "0.05", 0): 0.5}, dataset="synthetic201")
    score_table.write(tmp_path / "scores.parquet", rows)
    return path


def refused(grid: Path, where: Path, said: str) -> None:
    """A board of the scores in the folder of ``where`` is refused in a short line that names ``where``."""
    with pytest.raises(BenchError, match=f"^{where}: {said}.*; (delete it and )?score again$") as caught:
        scores.load(grid, where.with_name("scores.parquet"))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(where)) + 700


def test_what_is_right_is_read(grid: Path):
    path = grid.with_name("scores.parquet")
    score_table.write(path, score_table.read(path), [NOISE], [MESSAGE], [LIKENESS])
    path.with_name("external.json").write_text(json.dumps([RESULT]))
    read = scores.load(grid, path)
    assert label_noise.dump(read.noise) == [NOISE] and messages.dump(read.messages) == [MESSAGE]
    assert read.likeness[0].devices == ("a", "b", "c") and read.external == external.beside(path)
    assert (read.external[0].mean("all", "mape"), read.external[0].mean("test", "mape")) == (1.0, None)


@pytest.mark.hostile("tables")
@pytest.mark.parametrize(("key", "items"), [("noise", NOISES), ("likeness", LIKENESSES), ("messages", MESSAGES)])
def test_metadata_of_another_kind_is_refused(grid: Path, key: str, items: list):
    path = grid.with_name("scores.parquet")
    rows = score_table.read(path)
    for raw in (*([item] for item in items), 5, "text", {"a": 1}, [[[]]]):
        io.write_parquet(path, rows, {"kind": "scores", key: raw})
        refused(grid, path, "what it says of noise, messages or devices can't be read")


@pytest.mark.hostile("tables")
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_external_results_of_another_kind_are_refused(grid: Path, text: str):
    path = grid.with_name("external.json")
    path.write_text(text)
    refused(grid, path, "not readable")
