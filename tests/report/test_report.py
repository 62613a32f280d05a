"""The board: exact text for a tiny case, and honest display of what is missing, failed, made up or compared."""

import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.config.budget import Budget
from pipeline.config.datasets import Dataset
from pipeline.core.paths import ROOT
from pipeline.report import format, overview, report, sections
from pipeline.report.plots import draw
from pipeline.score import score, score_table, scores
from pipeline.score.metrics_json import metrics_json
from pipeline.score.tables import Size, tables_of
from tests.helpers.board_fixtures import ABOUT, TAUS, contents, grid_of, scores_of, table_of
from tests.helpers.score_fixtures import DATASET, make_cell, make_data, rewrite, score_rows_of, write_predictions


def test_the_board_of_a_tiny_case_word_for_word():
    assert sections.main_table(table_of(TAUS)) == [
        "| Predictor | 1 %<br>10 labels | 5 %<br>50 labels | Mean | Fit, CPU-s<br>at 50 | Predict, s | Parameters |",
        "| :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `gbdt` | 0.710 ± 0.127 | **0.800 ± 0.000** | **0.755** | 10 | 0.5 | 1.23k |",
        "| `nn_former` | **0.810 ± 0.127** | 0.880 (1 of 2 seeds) | – | 10 | 0.5 | 1.23k |",
        "| `mean` | undefined | undefined | – | 10 | 0.5 | 1.23k |",
    ]


def test_the_second_table_gives_test_and_novel():
    lines = sections.pair_table(table_of(TAUS), [("kendall_tau", "test"), ("kendall_tau", "novel")])
    assert lines[2] == "| `gbdt` | 0.690 / 0.660 | 0.780 / 0.750 |"
    assert lines[4] == "| `mean` | undefined | undefined |"


def test_the_glance_names_the_best_and_nn_former():
    assert overview.glance([table_of(TAUS)])[2:] == [
        "| [synthetic_toy: test_acc](#synthetic_toy-test_acc) | 10 (1 %) | Kendall's τ "
        "| **`nn_former` 0.810 ± 0.127** | `nn_former` 0.810 ± 0.127, rank 1 of 2 | `gbdt` 0.710 ± 0.127 |",
        "| [synthetic_toy: test_acc](#synthetic_toy-test_acc) | 50 (5 %) | Kendall's τ | **`gbdt` 0.800 ± 0.000** "
        "| `nn_former` 0.880 (1 of 2 seeds) | `gbdt` 0.800 ± 0.000 |",
    ]


def test_a_failed_run_is_named_below_the_table():
    table = table_of(TAUS)
    line = "- `nn_former`, 50 labels: timeout (seed 1)"
    assert sections.failures(table, {}) == [line]
    key = (table.dataset, table.target, "any", "nn_former", str(table.sizes[1].budget))
    assert sections.failures(table, {(*key, 0): "another", (*key, 1): "took `much`\ntoo long"}) == [
        line + ": `took 'much' too long`"
    ]
    (long,) = sections.failures(table, {(*key, 1): "o" * 999})
    assert len(long) < 300 and long.endswith("o…`")


def test_seeds_that_failed_in_other_ways_are_told_apart():
    taus = {("gbdt", "0.01", seed): "error" for seed in range(3)} | {("mean", "0.01", 0): 0.5}
    table = table_of(taus)
    key = (table.dataset, table.target, "any", "gbdt", "0.01")
    found = sections.failures(table, {(*key, 0): "no luck", (*key, 1): "no memory", (*key, 2): "no luck"})
    assert found == [
        "- `gbdt`, 10 labels: error (seed 0, 2): `no luck`",
        "- `gbdt`, 10 labels: error (seed 1): `no memory`",
    ]


def test_a_status_stands_where_no_seed_has_a_number():
    taus = {("gbdt", "0.01", 0): 0.5, ("mlp", "0.01", 0): "diverged"}
    assert sections.main_table(table_of(taus))[3].startswith("| `mlp` | diverged | – |")


def test_one_seed_has_no_spread():
    assert sections.main_table(table_of({("gbdt", "0.01", 0): 0.5}))[2].startswith("| `gbdt` | **0.500** | **0.500** |")


def test_held_back_labels_stand_in_the_title():
    rows = score_rows_of({("gbdt", "0.01", 0): 0.5}, n_val=3)
    assert "10 + 3 val labels" in sections.main_table(table_of({("gbdt", "0.01", 0): 0.5}, rows))[0]


def test_counts_and_fractions_of_one_size_are_named():
    assert format.size_header(Size(Budget.parse("n900"), 900, (0, 0))) == "900 labels"
    assert format.size_name(Size(Budget.parse("0.005"), 78, (0, 0))) == "0.5 %"
    assert format.size_name(Size(Budget.parse("0.1"), 1563, (0, 0))) == "10 %"
    assert format.size_name(Size(Budget.parse("n10-help"), 10, (0, 0))) == "HELP's references first"
    assert [format.compact(v, 2) for v in (0.00016, 154.0, 154000.0)] == ["0.00016", "150", "150k"]
    assert [format.compact(v) for v in (None, 0.0203, 62.0, 5160.0, 4.9e6)] == [
        "–",
        "0.0203",
        "62",
        "5.16k",
        "4.9M",
    ]


def test_unequal_seeds_are_said():
    values = {(p, "n20", s): 0.5 for p in ("a", "b") for s in range(2)} | {("c", "n20", s): 0.5 for s in range(5)}
    assert format.seed_counts(table_of(values)) == "2 seeds (5: `c`)"
    assert format.seed_counts(table_of({("a", "n20", 0): 0.5})) == "one seed"
    assert format.seed_counts(table_of({**values, ("c", "n30", 0): 0.5})) == "2 seeds (1 to 5: `c`)"


def test_a_mape_decided_by_labels_near_zero_is_pointed_out():
    rows = score_rows_of({("gbdt", "0.01", 0): 0.5}, scored_on="lat_ms", target="lat_ms", device="phone")
    quality = rows.filter(metric="kendall_tau", split="test")
    extra = [quality.with_columns(metric=pl.lit(m), value=pl.lit(v)) for m, v in (("mape", 1900.0), ("acc10", 60.0))]
    grid = grid_of({("gbdt", "0.01", 0): 0}, target="lat_ms", device="phone")
    table = tables_of(grid, pl.concat([rows, *extra]), {DATASET: ABOUT}, "scores")[0]
    assert sections.near_zero_devices(table) == ["phone"]


def test_metrics_json_holds_plain_numbers():
    found = metrics_json(scores_of([table_of(TAUS)]))
    assert found.pop("headline") == {
        "best_at_0.01": {"predictor": "nn_former", "kendall_tau": 0.81},
        "cheapest_at_0.01": {"predictor": "nn_former", "kendall_tau": 0.81},
        "best_at_0.05": {"predictor": "gbdt", "kendall_tau": 0.8},
        "cheapest_at_0.05": {"predictor": "gbdt", "kendall_tau": 0.8},
        "mean_rank_kendall_tau": {"gbdt": 1.0},
    }
    assert found == {
        "synthetic_toy/test_acc": {"gbdt": {"0.01": 0.71, "0.05": 0.8}, "nn_former": {"0.01": 0.81, "0.05": 0.88}}
    }


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the report command on hand-made scores in an empty folder; returns the folder of the board."""

    def go(taus: dict, about: Dataset = ABOUT, rows: pl.DataFrame | None = None, name: str = "tiny") -> Path:
        monkeypatch.chdir(tmp_path)
        grid = grid_of(taus, name)
        monkeypatch.setattr(scores.grids, "load_grid", lambda path: grid)
        monkeypatch.setattr(scores.datasets, "load", lambda: {DATASET: about})
        out = Path("results") / name
        score_table.write(out / "scores.parquet", score_rows_of(taus) if rows is None else rows)
        arguments = ["--scores", f"{out}/scores.parquet", "--grid", grid.path, "--out", str(out)]
        monkeypatch.setattr("sys.argv", ["report", *arguments])
        report.main()
        return out

    return go


def test_the_same_scores_give_the_same_bytes(run):
    out = run(TAUS)
    first = contents(out.parent)
    for name in ("plots/of-an-earlier-grid.png", "html/of-an-earlier-grid.svg"):
        (out / name).write_bytes(b"")
    assert contents(run(TAUS).parent) == first
    assert {Path(name).suffix for name in first} == {".md", ".html", ".json", ".csv", ".svg", ".png", ".parquet"}


def test_the_board_says_where_its_numbers_come_from(run):
    out = run(TAUS)
    text = (out / "leaderboard.md").read_text()
    for part in (
        "Hand-made numbers", "test_acc and another_set another_acc agree to τ 0.950",
        "half of the 95 % interval over 2 seeds",
        "abc1234", "Test CPU", "2.0 on cpu",
        "`snakemake --cores all --configfile config/tiny.yaml`", "version v0",
        "[config/tiny.yaml](../../config",
    ):  # fmt: skip
        assert part in text
    assert "val_acc and" not in text and "SYNTHETIC" not in text
    assert json.loads((out / "metrics.json").read_text())["synthetic_toy/test_acc"]["gbdt"]["0.05"] == 0.8


def test_every_link_of_a_board_leads_to_what_git_keeps(run):
    out = run(TAUS)
    links = set(re.findall(r"\]\(([^)#]+)", (out / "leaderboard.md").read_text()))
    links -= {"../leaderboard.md", "../../config/tiny.yaml"}
    pictures = {link for link in links if link.startswith("plots/")}
    assert pictures == {f"plots/{path.name}" for path in (out / "plots").iterdir()} and len(pictures) >= 2
    assert all((ROOT / link.removeprefix("../../")).is_file() for link in links - pictures)


def test_made_up_labels_are_said_to_be_made_up(run):
    out = run(TAUS, replace(ABOUT, synthetic=True))
    assert (out / "leaderboard.md").read_text().count("SYNTHETIC LABELS: test only") == 2


def test_one_predictor_one_seed_one_size(run):
    text = (run({("gbdt", "n20", 0): 0.5}) / "leaderboard.md").read_text()
    assert "| `gbdt` | **0.500** |" in text and "one seed" in text


def test_nothing_but_failures_still_makes_a_board(run):
    out = run({("gbdt", "n20", 0): "timeout", ("mean", "n20", 0): None})
    text = (out / "leaderboard.md").read_text()
    assert "| `gbdt` | timeout |" in text and not list(out.glob("plots/*"))


def test_devices_scatter_plots_and_heat_map_from_predictions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = make_data(tmp_path)
    watch = pl.col("target") == "lat_ms"
    tripled = {"device": pl.lit("watch"), "value": pl.col("value") * 3}
    rewrite(data, targets=lambda labels: pl.concat([labels, labels.filter(watch).with_columns(**tripled)]))
    cells = [
        make_cell(target="lat_ms", device=device, label=label, budget=train)
        for device in ("phone", "watch") for label in ("gbdt", "nn_former") for train in ("n4", "n8")
    ]  # fmt: skip
    for cell in cells:
        scale, off = (3 if cell.device == "watch" else 1), (1.08 if cell.label == "gbdt" else 1.02)
        write_predictions(cell, [scale * off * (1 + i) for i in range(20)])
    grid = replace(grid_of(TAUS), cells=tuple(cells))
    rows = score.score(cells, score.Data(data))
    table = tables_of(grid, rows, {DATASET: ABOUT}, "scores")[0]
    lines = sections.device_table(table, table.sizes[0], [])
    assert lines[0] == "| Device | `gbdt` | `nn_former` |"
    assert lines[2] == "| phone | 8.00 / **100.00** / **1.000** | **2.00** / **100.00** / **1.000** |"
    assert lines[-1].startswith("| **mean of devices** | 8.00 /")
    assert sections.near_zero_devices(table) == []
    board = scores.Scores(grid, rows, [table], [], [])
    pictures = draw.draw(board, data, tmp_path / "board")[table.name]
    shown = {picture.name: picture.png for picture in pictures}
    assert shown["MAPE by device"] and shown["Acc(10 %) by device"] and not shown["predicted against true"]
    on_markdown = [picture for picture in pictures if picture.png]
    assert draw.committed_pictures(board, tmp_path / "board")[table.name] == on_markdown
