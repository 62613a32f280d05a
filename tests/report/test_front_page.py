"""The front page of all boards: made-up boards, word for word."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import BenchError
from pipeline.report import boards, front_page, questions, reproduced
from pipeline.report.format import Notes
from pipeline.score import published, score_table, scores
from pipeline.score.tables import tables_of as of_grid
from tests.helpers.board_fixtures import ABOUT, RANKED, contents, costs_of, grid_of, scores_of, table_of
from tests.helpers.score_fixtures import DATASET, score_rows_of
from tests.helpers.transfer_fixtures import scores as transfer_scores

WORDS = ("without-a", "without-b")
FAMILIES = {(p, w, 0): mape for p, mape in (("nn_former-latency", 9.0), ("gbdt", 12.0)) for w in WORDS}


def families_table():
    rows, changes = costs_of(FAMILIES, "leave_one_family_out")
    return table_of(FAMILIES, rows, replace(ABOUT, families=("a", "b")), **changes)


def test_a_row_a_predictor_and_a_column_a_task():
    text = front_page.page({"cells": scores_of([table_of(RANKED)]), "nets": scores_of([families_table()])}, {})
    lines = text.splitlines()
    head = lines.index("## Predictors") + 2
    assert lines[head] == (
        "| Predictor | [synthetic_toy](cells/leaderboard.md#synthetic_toy-test_acc)<br>τ, 50 labels (5 %) "
        "| [synthetic_toy](nets/leaderboard.md#synthetic_toy-lat_ms-leave_one_family_out-protocol)"
        "<br>MAPE, %, mean of 2 families left out |"
    )
    assert lines[head + 2 : head + 5] == [
        "| `nn_former`[^1] | **0.910 ± 0.025** | **9.00** |",
        "| `gbdt` | 0.860 ± 0.025 | 12.00 |",
        "| `mlp` | 0.750 ± 0.025 | – |",
    ]
    assert lines[-1] == "[^1]: As `nn_former-latency` on synthetic_toy."


def answers_of(boards: dict, tuned: dict | None = None, figures: list = (), compared=None) -> dict[str, list[str]]:
    """The lines below each question."""
    notes = Notes()
    compared = {name: boards[name] for name in (boards if compared is None else compared)}
    lines = front_page.answers_of_boards(boards, compared, list(figures), tuned or {}, notes)
    starts = [lines.index(f"**{question}**") for question in questions.QUESTIONS]
    return {
        question: lines[start + 2 : end]
        for question, start, end in zip(questions.QUESTIONS, starts, [*starts[1:], None], strict=True)
    }


def test_every_board_answers_what_it_can():
    said = answers_of({"cells": scores_of([table_of(RANKED)]), "nets": scores_of([families_table()])})
    who, at_1, at_5, _ = said[questions.BEST]
    assert who == "- [cells](cells/leaderboard.md):" and "**`nn_former`**, τ 0.810 ± 0.025" in at_1
    assert at_1.startswith("  - 1 % (10 labels): ") and at_5.startswith("  - 5 % (50 labels): ")
    assert said[questions.RECIPE] == ["- no board has several predictors by several recipes yet, so none says", ""]
    assert said[questions.FAMILY] == [
        "- [nets](nets/leaderboard.md): **`nn_former-latency`**, MAPE 9.00 %, next `gbdt`, 12.00, one seed "
        "and so no test, mean over families of synthetic_toy", "",
    ]  # fmt: skip
    assert said[questions.REPRODUCES] == ["- no board has such data", ""]


def test_labels_that_settings_were_chosen_on_come_last_and_are_marked():
    clean = replace(ABOUT, name="clean")
    rows = score_rows_of(RANKED, dataset="clean")
    tables = of_grid(grid_of(RANKED, dataset="clean"), rows, {"clean": clean}, "scores")
    boards = {"cells": scores_of([table_of(RANKED)]), "sample": scores_of(tables)}
    lines = front_page.page(boards, {"nn_former": [DATASET]}).splitlines()
    below = lines[lines.index(f"**{questions.BEST}**") :]
    assert below.index("- [sample](sample/leaderboard.md):") < below.index("- [cells](cells/leaderboard.md)[^1]:")
    head = lines[lines.index("## Predictors") + 2]
    assert head.index("[clean]") < head.index("[synthetic_toy]")
    assert "[^1]: Settings of `nn_former` were chosen with these labels, or labels like them, in sight" in lines[-1]


FIGURES = [
    published.Figure(DATASET, "direct", n, "nn_former", "kendall_tau", v, "S", "a review")
    for n, v in ((10, 0.80), (50, 0.80), (90, 0.95))
] + [
    published.Figure(DATASET, "direct", 10, "nn_former_paper_global", "kendall_tau", 0.7656, "S", "a review"),
    published.Figure(DATASET, "in_domain", 10, "nn_former", "mape", 2.85, "D", "a table"),
    published.Figure(DATASET, "direct", 10, "nn_former", "kendall_tau", 0.9, "S", "a review", statistic="best"),
    published.Figure("any", "cost", 0, "nn_former", "n_params", 4.9e6, "S", "a review"),
    published.Figure(DATASET, "direct", 10, "gbdt", "kendall_tau", 0.5, "V", "a table"),
]  # fmt: skip


def test_each_published_figure_of_nn_former_has_its_row():
    values = {("nn_former-paper", f, s): tau for (p, f, s), tau in RANKED.items() if p == "nn_former"}
    boards = {"cells": scores_of([table_of(values)], FIGURES), "others": scores_of([table_of(RANKED)], FIGURES)}
    assert reproduced.figures_table(boards, FIGURES)[4:] == [
        f"| {DATASET} | 10 | Kendall's τ | 0.800 | second-hand | `nn_former-paper` 0.810 ± 0.025: **reproduced "
        "within our interval** | 0.0028 |",
        f"| {DATASET} | 50 | Kendall's τ | 0.800 | second-hand | `nn_former-paper` 0.910 ± 0.025: **above** | 0.0028 |",
        f"| {DATASET} | 90 | Kendall's τ | 0.950 | second-hand | not run | – |",
        f"| {DATASET}, attention without masks | 10 | Kendall's τ | 0.7656 | second-hand | not run | – |",
        f"| {DATASET}, best of several runs | 10 | Kendall's τ | 0.900 | second-hand | not run | – |",
        "| cost | – | parameters | 4.9M | second-hand | `nn_former-paper` 1.23k | – |",
        "",
        reproduced.confidence_legend(FIGURES[:1], "reproduced within our interval")[0],
        "",
        "Not shown, as sources contradict each other: 1 figure of config/published.csv.",
        "",
        "</details>",
        "",
    ]
    assert reproduced.not_run(boards, FIGURES) == "**not run**: 3 of 5 published figures"
    assert answers_of(boards, figures=FIGURES)[questions.REPRODUCES] == [
        "- [cells](cells/leaderboard.md): `nn_former-paper`: **1 reproduced within our interval "
        "and 1 above** of 2 published figures, "
        "none checked against the paper",
        "- **not run**: 3 of 5 published figures", "",
    ]  # fmt: skip


def test_variants_of_one_predictor_are_a_board_but_no_row():
    variants = table_of({("nn_former-x", "0.05", 0): 0.99, ("nn_former", "0.05", 0): 0.5})
    text = front_page.page({"cells": scores_of([table_of(RANKED)]), "parts": scores_of([variants])}, {})
    assert "[parts](parts/leaderboard.md) |" in text and "0.990" not in text and "nn_former-x" not in text


def test_a_board_of_variants_for_the_most_part_is_no_column_either():
    """A search of settings says nothing of which predictor is best."""
    searched = table_of({(label, "0.05", 0): 0.9 for label in ("gbdt", "mlp-a", "mlp-b")})
    boards = {"cells": scores_of([table_of(RANKED)]), "search": scores_of([searched])}
    text = front_page.page(boards, {})
    assert "(search/leaderboard.md#" not in text and "[search](search/leaderboard.md) |" in text
    assert "[search](search/leaderboard.md):" not in text


def test_no_question_is_left_open_that_a_board_answers():
    """A board of variants for the most part answers what is not about predictors, and the rest where no other does."""
    rho = {("nasflat_fd", label, "n20"): (0.9, 0.91, 0.89) for label in ("gbdt", "mlp-a", "mlp-b")}
    transfer = transfer_scores(rho)
    assert not front_page._compares_predictors(transfer)
    text = front_page.page({"cells": scores_of([table_of(RANKED)]), "transfer": transfer}, {"mlp": [DATASET]})
    assert f"**{questions.TRANSFER}**\n\n- [transfer](transfer/leaderboard.md)[^1]: 20 labels of the new" in text
    assert "[^1]: Settings of `mlp` were chosen with these labels" in text
    variants = scores_of([table_of({(label, "0.05", 0): 0.9 for label in ("gbdt", "mlp-a", "mlp-b")})])
    assert answers_of({"variants": variants}, compared=())[questions.BEST][0].startswith("- [variants](")


def test_made_up_labels_are_left_out_where_there_are_others():
    made_up = scores_of([table_of(RANKED, about=replace(ABOUT, synthetic=True))])
    both = front_page.page({"made_up": made_up, "cells": scores_of([table_of(RANKED)])}, {})
    assert "made_up" not in both and "SYNTHETIC" not in both
    assert "SYNTHETIC LABELS: test only" in front_page.page({"made_up": made_up}, {})


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """Two boards with grids, and one without; the working folder is their root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scores.grids, "load_grid", lambda path: grid_of(RANKED, Path(path).stem))
    monkeypatch.setattr(scores.datasets, "load", lambda: {DATASET: ABOUT})
    for name in ("benchmark", "another", "of_no_grid"):
        score_table.write(f"results/{name}/scores.parquet", score_rows_of(RANKED))
    for grid in ("config/benchmark.yaml", "config/full/another.yaml"):
        Path(grid).parent.mkdir(parents=True, exist_ok=True)
        Path(grid).touch()
    return Path("results")


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["boards", *arguments])
    boards.main()


def test_a_folder_without_boards_is_refused_and_left_alone(results, monkeypatch):
    with pytest.raises(BenchError, match="results/of_no_grid: no board of a grid in config/; run a grid first"):
        command(monkeypatch, "--results", "results/of_no_grid")
    assert set(contents(results / "of_no_grid")) == {"results/of_no_grid/scores.parquet"}


def test_the_front_page_is_written_where_no_boards_grid_is_in_config(results, monkeypatch):
    for grid in ("config/benchmark.yaml", "config/full/another.yaml"):
        Path(grid).unlink()
    with pytest.raises(BenchError, match="no board of a grid in config/"):
        command(monkeypatch)
    command(monkeypatch, "--front-page")
    assert "# Leaderboard" in (results / "leaderboard.md").read_text()


def test_one_command_makes_all_boards_and_checks_them(results, monkeypatch):
    command(monkeypatch)
    made = contents(results)
    assert {name for name in made if name.endswith("leaderboard.md")} == {
        "results/benchmark/leaderboard.md", "results/another/leaderboard.md", "results/leaderboard.md",
    }  # fmt: skip
    front = made["results/leaderboard.md"]
    assert front.index(b"[benchmark]") < front.index(b"[another]")
    command(monkeypatch, "--check")
    command(monkeypatch)
    assert contents(results) == made


@pytest.mark.parametrize("name", ["leaderboard.md", "another/metrics.json"])
def test_an_edited_page_is_found_out(results, monkeypatch, name):
    command(monkeypatch)
    path = results / name
    path.write_text(path.read_text().replace("0.81", "0.91"))
    with pytest.raises(BenchError, match=rf"{Path(name).name}: line \d+ does not follow from the scores"):
        command(monkeypatch, "--check")


def test_the_front_page_alone(results, monkeypatch):
    command(monkeypatch, "--front-page")
    assert (results / "leaderboard.md").is_file() and not list(results.glob("*/leaderboard.md"))
