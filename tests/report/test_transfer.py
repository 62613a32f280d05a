"""The section on transfer to a new device: every number of it from made-up scores, by hand."""

import pytest

from pipeline.report import page, questions, transfer
from pipeline.report.plots import draw, style
from pipeline.report.plots import transfer as plots
from pipeline.score.likeness import Likeness
from tests.helpers.board_fixtures import RANKED, scores_of, table_of
from tests.helpers.transfer_fixtures import ALIKE, scores


def lines() -> list[str]:
    return transfer.transfer_section(scores())


def row(start: str) -> list[str]:
    (line,) = [line for line in lines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_matrix_has_a_column_a_task_and_the_published_figures_below():
    text = "\n".join(lines())
    assert "### NASFLAT's tasks with 20 labels of the new device" in text
    assert "### NASFLAT's tasks with 10 labels of the new device" in text
    first = lines()[lines().index("### NASFLAT's tasks with 20 labels of the new device") :]
    table = [line for line in first if line.startswith("|")][:7]
    assert table[0].count("<br>2 targets") == 2 and "[FD](#" in table[0] and "[FA](#" in table[0]
    assert "| **`nn_former`** | **0.900 ± 0.002** | 0.500 ± 0.025 |" in table
    assert "| `layerwise` | 0.700 ± 0.025 | **0.700 ± 0.025** |" in table
    assert "| *NASFLAT, published, 20 labels* | *0.800* | *0.800* |" in table
    assert "| *HELP, published, 10 labels* | *0.600* | *–* |" in table
    assert "| *A sum over blocks, fitted to 80 % of all labels* | *0.750* | *0.750* |" in table
    assert "The same cell again" not in "".join(table)  # one of the two devices has none


def test_beside_nasflat_the_best_of_ours_and_nn_former_each_with_its_interval():
    beside = [line for line in lines() if line.startswith("| [F")]
    assert len(beside) == 3
    fd, fa, few = ([cell.strip() for cell in line.strip("|").split("|")] for line in beside)
    assert fd[1:6] == ["20", "`nn_former`", "0.900", "`nn_former`", "0.900"]
    assert fd[6:9] == ["0.800", "+0.100 (+0.098 to +0.102)", "above"]
    assert fd[11] == ""
    assert fa[2:9] == ["`layerwise`", "0.700", "`nn_former`", "0.500", "0.800", "-0.100 (-0.125 to -0.075)", "below"]
    assert fa[9:11] == ["-0.300 (-0.325 to -0.275)", "below"]
    sums = "ρ of a sum over blocks, on 80 % of all labels: phone 1.000, watch 0.500"
    noise = f"{sums}; of the same cell again: watch 0.750"
    assert fa[11] == noise and few[8] == "level" and few[11] == noise


def test_the_answer_counts_tasks():
    answer = "; ".join(questions.answers(scores().headline)[questions.TRANSFER])
    assert answer.startswith("20 labels of the new device: the best of ours is above NASFLAT's published figure, ")
    assert "on 1 of 2 tasks, NN-Former on 1, `" in answer and "; 10 labels of the new device: " in answer
    assert "on 0 of 1 tasks, NN-Former on 0, `nn_former` is the best on 1" in answer


def test_what_the_labels_are_is_said_by_the_data():
    text = "\n".join(lines())
    assert "exact there, and a figure says nothing about networks as they run: synthetic_toy: `phone`." in text
    assert "timed again tell apart where there are some: synthetic_toy: `watch` (R² 0.25)." in text
    assert row("synthetic_toy | phone | 1.0000")[3:] == ["1.000", "–", "car", "0.900"]
    assert row("synthetic_toy | watch | 0.2500")[3:] == ["0.500", "0.750", "phone", "0.250"]


def test_faulty_labels_and_what_a_label_brings():
    assert row("synthetic_toy | phone | 8")[2:] == ["8 (0.80 %)", "90", "20.00 / 80.00"]
    assert row("5 → 10") == ["5 → 10", "+20.00"] and row("10 → 100") == ["10 → 100", "+1.00"]


def test_a_board_without_transfer_has_no_such_section():
    assert transfer.transfer_section(scores_of([table_of(RANKED)])) == []
    assert "Transfer to a new device" not in page.page(page.Content(scores_of([table_of(RANKED)]), {}))


def test_devices_from_outside_stay_words():
    hostile = scores(devices=("[x](http://evil)", "a|b"))
    text = page.page(page.Content(hostile, {}))
    assert "](http://evil)" not in text.replace("\\](http", "") and "Transfer to a new device" in text


@pytest.fixture
def styled():
    with style.style():
        yield


def test_figures_carry_their_numbers(styled):
    found = scores()
    tasks = [task for task in found.headline.transfer if task.size.n_train == 20]
    drawn = plots.by_target(tasks)
    assert drawn.data.filter(task="FD", device="phone", predictor="nn_former")["spearman"].item() == pytest.approx(0.9)
    assert drawn.data.height == 2 * 2 * 2
    alike = plots.alike(ALIKE).data
    assert alike.filter(device="phone", other="car")["spearman"].item() == 0.9 and alike.height == 9
    order = alike["device"].unique(maintain_order=True).to_list()
    assert order[1] != "watch"  # the two that are alike stand side by side
    (table,) = [table for table in found.tables if table.protocol == "few_shot"]
    curve = plots.adaptation(table).data
    assert curve.filter(metric="mape", n_train=5)["mean"].item() == pytest.approx(50.0)
    assert curve.filter(metric="spearman")["n_train"].to_list() == [5, 10, 100]


def test_nasflats_tables_have_their_pictures_on_the_grid_alone(styled, tmp_path):
    found = scores()
    pictures = draw.draw(found, tmp_path / "data", tmp_path)
    assert not [name for name in pictures if "nasflat" in name]
    names = [picture.name for picture in pictures[""]]
    assert "transfer by device synthetic_toy" in names and "how alike devices are synthetic_toy" in names
    assert "adaptation to a new device" in [p.name for p in pictures["synthetic_toy-few_shot-lat_ms"]]
    committed = draw.committed_pictures(found, tmp_path)
    assert committed[""] == [picture for picture in pictures[""] if picture.png]
    shown = page.page(page.Content(found, committed))
    assert all(f"(plots/{path.name})" in shown for path in (tmp_path / "plots").iterdir())


def test_many_devices_are_drawn_without_numbers(styled):
    names = tuple(f"d{i}" for i in range(plots.LEGIBLE + 1))
    n = len(names)
    drawn = plots.alike(Likeness("d", "lat_ms", names, (0.5,) * (n * (n - 1) // 2)))
    assert drawn.data.height == n * n and drawn.data["spearman"].max() == 1.0
