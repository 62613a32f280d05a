"""The committed boards: of their grids, following from their scores, small, each fact once; and their answers again."""

import json
import math
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.config import grid as grids
from pipeline.core.paths import ROOT
from pipeline.core.targets import is_cost
from pipeline.report import boards, front_page, questions
from pipeline.score import score_table, scores
from predictors.base import config_hash
from predictors.kit.ensemble import make

RESULTS = ROOT / "results"
BOARDS = [
    "ablation",
    "benchmark",
    "devices",
    "imagenet",
    "nasbench101",
    "nasbench201",
    "networks",
    "newer_torch",
    "proxies",
    "published",
    "rates",
    "recipes",
    "siblings_accuracy",
    "timm",
    "transfer",
    "wide",
]
CELL = ["dataset", "protocol", "target", "device", "predictor", "budget", "seed"]
T = {2: 12.706205, 3: 4.302653, 5: 2.776445, 10: 2.262157}  # 97.5 % quantile of Student's t by the number of seeds


@cache
def board(name: str) -> scores.Scores:
    return scores.load(ROOT / front_page.grid_file(name, ROOT / "config"), RESULTS / name / "scores.parquet")


def answers(name: str) -> dict[str, str]:
    found = questions.answers(board(name).headline)
    return {question: "; ".join(found.get(question, [])) for question in questions.QUESTIONS}


def older(name: str) -> set[str]:
    """The labels of a board whose rows have other settings, or are of another version of their data, than today's."""
    found, today = board(name), {}
    for cell in found.grid.cells:
        kind = (cell.dataset, cell.label, cell.overrides, cell.task)
        if kind not in today:
            predictor = make(cell.label, cell.settings, cell.task, cell.random_seed)
            today[kind] = (config_hash(predictor.config), datasets.get(cell.dataset).version)
    now = {(dataset, label, *facts) for (dataset, label, *_), facts in today.items()}
    columns = ("dataset", "predictor", "config_hash", "dataset_version")
    was = found.rows.filter(status="ok").select(columns).unique().rows()
    return {row[1] for row in was if row not in now}


def test_rows_of_other_settings_than_todays_are_listed_in_the_docs():
    text = (ROOT / "docs" / "reading_the_board.md").read_text().partition("## Older rows")[2]
    listed = {}
    for name, predictors in re.findall(r"^\| \[(\w+)\]\(\S+\)[^|]* \| (.+?) \|", text, re.MULTILINE):
        labels = {label for table in board(name).tables for label in table.predictors}
        listed[name] = labels if predictors == "all" else set(re.findall(r"`([^`]+)`", predictors))
    found = {name: older(name) for name in BOARDS}
    assert listed == {name: labels for name, labels in found.items() if labels}


def test_there_are_these_boards():
    folders = sorted(path.parent.name for path in RESULTS.glob("*/scores.parquet"))
    assert [name for name in folders if name in BOARDS] == BOARDS
    tracked = tracked_files()
    assert not tracked or {path.parts[1] for path in tracked if path.name == "scores.parquet"} == set(BOARDS)


def tracked_files() -> list[Path]:
    """Files of results/ that git keeps; [] where this is no clone."""
    done = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def test_git_keeps_little_of_them():
    tracked = tracked_files()
    if not tracked:
        pytest.skip("not a clone: nothing is tracked")
    assert sum((ROOT / path).stat().st_size for path in tracked) < 6e6
    kinds = {path.suffix for path in tracked if path.parts[1] != "time_to_tau"}
    assert kinds == {".md", ".json", ".parquet", ".png"}


@pytest.mark.parametrize("name", BOARDS)
def test_the_scores_are_of_the_grid(name):
    """Every cell of the grid, no other, each once."""
    grid = grids.load_grid(front_page.grid_file(name, ROOT / "config"))
    asked = {c.key for c in grid.cells}
    scored = set(score_table.read(RESULTS / name / "scores.parquet").select(CELL).unique().iter_rows())
    assert scored == asked, f"config/{name}.yaml has changed since {name} was scored: run that grid again"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A copy of results and config, the working folder: boards name no machine's paths."""
    shutil.copytree(RESULTS, tmp_path / "results", ignore=shutil.ignore_patterns("predictions", "models", "html"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_page_follows_from_the_committed_scores(elsewhere, monkeypatch, capsys):
    for folder in (path for path in Path("results").iterdir() if path.is_dir() and path.name not in BOARDS):
        shutil.rmtree(folder)
    monkeypatch.setattr("sys.argv", ["boards", "--check"])
    boards.main()
    said = capsys.readouterr().out
    assert all(name in said for name in [*BOARDS, "the front page"])


def test_a_cell_stands_on_one_board():
    """But for the form without masks, to which the ablation compares its variants, and for what the recipes and the
    masks of siblings compare with their own: these have the same numbers there."""
    seen: dict[tuple, tuple[str, pl.DataFrame]] = {}
    for name in BOARDS:
        for cell, rows in board(name).rows.group_by(CELL):
            if cell in seen:
                other, theirs = seen[cell]
                shares = {"recipes", "siblings_accuracy"} & {name, other}
                assert shares or "ablation" in (name, other) and cell[4] == "nn_former-free"
                if "ablation" in (name, other):
                    continue  # older rows
                assert rows.sort(*score_table.KEY).equals(theirs.sort(*score_table.KEY))
            seen[cell] = name, rows


@pytest.mark.parametrize("name", BOARDS)
def test_pictures_and_links_of_a_board_are_there(name):
    text = (RESULTS / name / "leaderboard.md").read_text(encoding="utf-8")
    shown = {part.partition(")")[0] for part in text.split("](plots/")[1:]}
    assert shown == {path.name for path in (RESULTS / name / "plots").iterdir()} and len(shown) >= 2


@pytest.mark.parametrize("name", BOARDS)
def test_metrics_json_has_the_numbers_of_the_scores(name):
    numbers = json.loads((RESULTS / name / "metrics.json").read_text(encoding="utf-8"))
    assert set(numbers) == {"headline"} | {
        f"{t.dataset}/{'' if t.protocol == 'direct' else f'{t.protocol}/'}{t.scored_on}" for t in board(name).tables
    }


@pytest.mark.parametrize("name", BOARDS)
def test_the_best_and_the_cheapest_follow_from_the_committed_scores(name):
    """Once more, from the rows alone."""
    rows, (best_said, cheapest_said, *_) = board(name).rows, answers(name).values()
    costs = [target for target in rows["target"].unique() if is_cost(target)]
    last = pl.col("scored_on") == pl.when(pl.col("protocol") == "tnasp").then(pl.lit("test_acc")).otherwise("target")
    accuracy = rows.filter(last, ~pl.col("target").is_in(costs), metric="kendall_tau", split="all")
    for fraction, text in (("0.01", "1 %"), ("0.05", "5 %")):
        of_size = accuracy.filter(budget=fraction)
        if of_size.is_empty():
            assert f"{text} (" not in best_said
            continue
        assert of_size["dataset"].n_unique() == 1  # the mean over several is tested on made-up scores
        count = pl.count("value").alias("n")
        means = of_size.group_by("predictor").agg(pl.mean("value"), pl.std("value").alias("sd"), count, pl.len())
        means = means.filter(pl.col("n") == pl.col("len")).sort("value", descending=True)
        best, tau, sd, n, _ = means.row(0)
        if n == 1:
            assert f"**`{best}`**, τ {tau:.3f}, next `" in best_said and "one seed and so no test" in best_said
            continue
        half = T[n] * sd / math.sqrt(n)
        assert f"**`{best}`**, τ {tau:.3f} ± {half:.3f}" in best_said
        cost = rows.filter(metric="fit_cpu_s", budget=fraction, target=of_size["target"][0])
        cost = cost.group_by("predictor").agg(pl.mean("value").alias("s"))
        near = [best, *(p for p in means["predictor"] if p != best and not is_behind(of_size, best, p))]
        cheapest = cost.filter(pl.col("predictor").is_in(near)).sort("s")[0, "predictor"]
        assert re.search(rf"(^|; ){text} [(][^)]*[)]: [*][*]`{cheapest}`", cheapest_said)


def is_behind(rows: pl.DataFrame, best: str, other: str) -> bool:
    """Whether the 95 % interval of the differences by seed of two predictors lies above zero."""
    pairs = rows.filter(predictor=best).join(rows.filter(predictor=other), on="seed")
    apart = pairs["value"] - pairs["value_right"]
    return apart.mean() > T[len(apart)] * apart.std() / math.sqrt(len(apart))


@pytest.mark.parametrize("name", BOARDS)
def test_the_best_on_an_unseen_family_follows_from_the_committed_scores(name):
    errors = board(name).rows.filter(protocol="leave_one_family_out", metric="mape", split="test")
    if errors.is_empty():
        assert answers(name)[questions.FAMILY] == ""
        return
    whole = errors.group_by("predictor").agg(pl.mean("value"), pl.col("value").null_count().alias("gaps"))
    best, mape, _ = whole.filter(gaps=0).sort("value").row(0)
    assert answers(name)[questions.FAMILY].startswith(f"**`{best}`**, MAPE {mape:.2f}")


@pytest.mark.parametrize("name", BOARDS)
def test_whether_nn_former_reproduces_follows_from_the_committed_scores(name):
    """Each published tau of NN-Former beside our interval of each label as published, counted by hand."""
    rows, answer = board(name).rows, answers(name)[questions.REPRODUCES]
    rows = rows.filter(target="val_acc", scored_on="test_acc", metric="kendall_tau", split="all")
    theirs = pl.read_csv(ROOT / "config" / "published.csv", infer_schema_length=None)
    theirs = theirs.filter(protocol="tnasp", predictor="nn_former", metric="kendall_tau", statistic="mean")
    labels = sorted(label for label in rows["predictor"].unique() if label in ("nn_former-paper", "nn_former-released"))
    if not labels:
        assert "nn_former-paper`" not in answer and "nn_former-released`" not in answer
    for label in labels:
        counts = {"reproduced within our interval": 0, "above": 0, "below": 0, "without an interval": 0}
        for dataset, n_train, value in theirs.select("dataset", "n_train", "value").iter_rows():
            taus = rows.filter(predictor=label, dataset=dataset, n_train=n_train)["value"]
            if len(taus) > 1:
                half = T[len(taus)] * taus.std() / math.sqrt(len(taus))
                apart = taus.mean() - value
                counts[
                    "reproduced within our interval" if abs(apart) <= half else "above" if apart > 0 else "below"
                ] += 1
            elif len(taus):
                counts["without an interval"] += 1
        for word, k in counts.items():
            assert (f"{k} {word}" in answer) == (k > 0)
