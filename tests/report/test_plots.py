"""Figures show the numbers of the board: their data, what is left out, and labels that can be read."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from pipeline.report.plots import curves, devices, ranks, scatter, text_labels
from pipeline.report.plots import style as plot_style
from pipeline.score import published, ranking, tables
from pipeline.score.tables import Table
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, grid_of, table_of, tables_of
from tests.helpers.score_fixtures import DATASET, score_rows_of

FIGURE = published.Figure(DATASET, "leave_out:resnet", 18000, "nnlp", "mape", 7.5, "S", "a review")


@pytest.fixture(autouse=True)
def style():
    with plot_style.style():
        yield
        plot_style.plt.close("all")


def devices_table(seeds: int = 2) -> Table:
    """Two predictors on phone and watch: MAPE 10 and 20 on the phone, twice that on the watch."""
    values = {(p, "n10", s): 10.0 * (i + 1) for i, p in enumerate(("nn_former", "gbdt")) for s in range(seeds)}
    phone, changes = costs_of(values)
    watch, more = costs_of({key: 2 * mape for key, mape in values.items()}, device="watch")
    cells = (*grid_of(values, **changes).cells, *grid_of(values, **more).cells)
    grid = replace(grid_of(values), cells=cells)
    return tables.tables_of(grid, phone.vstack(watch), {DATASET: ABOUT}, "scores")[0]


def test_the_curves_show_means_and_intervals():
    data = curves.by_size(table_of(RANKED)).data.filter(predictor="nn_former")
    assert data["n_train"].to_list() == [10, 50] and data["mean"].to_list() == pytest.approx([0.81, 0.91])
    assert data["low"][0] == pytest.approx(0.81 - 4.302653 * 0.01 / 3**0.5, abs=1e-6)


def test_curves_need_two_budgets():
    assert curves.by_size(table_of({("gbdt", "n20", 0): 0.5})) is None
    values = {("nnlp", f"without-{f}", 0): 9.0 for f in ("a", "b")}
    rows, changes = costs_of(values, "leave_one_family_out")
    assert curves.by_size(table_of(values, rows, **changes)) is None


def test_curves_show_those_with_every_budget_where_there_are_three():
    values = {(p, f, 0): 0.5 for p in "abc" for f in ("0.01", "0.05")} | {("d", "0.05", 0): 0.9}
    shown = curves.by_size(table_of(values))
    texts = {t.get_text() for t in shown.figure.findobj(plot_style.matplotlib.text.Annotation)}
    assert {"a", "b", "c"} <= texts and "d" not in texts
    assert any("1 other was run at some" in text for text in texts)


def test_the_pareto_front_by_hand():
    """gbdt is cheaper and better than mlp, which is not on it."""
    points = [(10.0, 0.8), (1.0, 0.7), (2.0, 0.6)]
    assert curves._pareto(points, table_of(RANKED)) == [(1.0, 0.7), (10.0, 0.7), (10.0, 0.8)]


def test_a_figure_without_any_number_is_not_drawn():
    table = table_of({("gbdt", "n20", 0): "timeout", ("mean", "n20", 0): None})
    assert curves.by_size(table) is None and curves.by_cost(table) is None and ranks.forest(table) is None


def test_the_heat_maps_show_every_device_and_their_mean():
    data = devices.by_device(devices_table(), "mape").data
    assert dict(zip(data.select("device", "predictor").iter_rows(), data["mean"], strict=True)) == {
        ("phone", "nn_former"): 10.0, ("phone", "gbdt"): 20.0, ("watch", "nn_former"): 20.0, ("watch", "gbdt"): 40.0,
        ("mean", "nn_former"): 15.0, ("mean", "gbdt"): 30.0,
    }  # fmt: skip
    assert devices.by_device(devices_table(), "acc10").data["mean"].max() == 90.0


def test_bars_of_families_with_published_rings():
    words = ("without-resnet18", "without-vgg16")
    values = {("nnlp", w, s): 8.0 + i + s for i, w in enumerate(words) for s in (0, 1)}
    rows, changes = costs_of(values, "leave_one_family_out")
    table = table_of(values, rows, replace(ABOUT, families=("resnet18", "vgg16")), **changes)
    data = devices.by_family(table, published.compare(table, [FIGURE])).data
    assert data["family"].to_list() == ["resnet18", "vgg16", "mean of 2 families"]
    assert data["mape"].to_list() == [8.5, 9.5, 9.0] and data["published"].to_list() == [7.5, None, None]
    assert devices.by_family(devices_table(), []) is None


def test_the_forest_plot_pairs_variants_with_their_base():
    values = {("nn_former", "n20", s): 0.80 + s / 100 for s in range(3)}
    values |= {("nn_former-plain", "n20", s): 0.78 + s / 100 for s in range(3)}
    values |= {("gbdt", "n20", s): 0.5 for s in range(3)}
    table = table_of(values)
    assert ranking.variants(table) == {"nn_former": ["nn_former-plain"]}
    row = ranks.forest(table).data.row(0, named=True)
    assert (row["variant"], row["base"]) == ("nn_former-plain", "nn_former")
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((-0.02, -0.02, -0.02))
    assert ranks.forest(table_of(RANKED)) is None


def test_the_rank_diagram_shows_the_mean_ranks():
    found = ranking.rankings(tables_of(RANKED))[0]
    data = ranks.rank_diagram(found).data
    assert data["mean_rank"].to_list() == pytest.approx([7 / 6, 11 / 6, 3.0])
    assert data.filter("not_shown_to_differ")["predictor"].to_list() == found.tied
    assert ranks.rank_diagram(ranking.rankings(tables_of(TAUS))[0]) is None


def test_scatter_has_the_predictions_and_their_residuals():
    true = np.arange(1.0, 11.0)
    drawn = scatter.scatter(table_of(RANKED), [("a", true + 1, true), ("b", true, true)])
    assert drawn.data.columns == ["panel", "true", "predicted"] and drawn.data.height == 20
    above, below = drawn.figure.axes[:2]
    assert above.get_ylabel() == "predicted, %" and below.get_ylabel() == "residual, %"
    inside = below.lines[0].get_ydata()
    assert set(np.round(inside, 12)) == {1.0}


def test_made_up_labels_are_in_the_title_of_every_figure():
    table = table_of(RANKED, about=replace(ABOUT, synthetic=True))
    drawn = [
        curves.by_size(table), curves.by_cost(table), ranks.rank_diagram(ranking.rankings([table])[0]),
        scatter.scatter(table, [("a", np.arange(9.0), np.arange(9.0))]),
    ]  # fmt: skip
    for figure in (d.figure for d in drawn):
        words = [t.get_text() for t in figure.findobj(plot_style.matplotlib.text.Text)]
        assert any("SYNTHETIC LABELS" in word for word in words)


def test_saved_figures_name_what_made_them_and_bring_their_data(tmp_path):
    files = tmp_path / "plots" / "f.png", tmp_path / "html" / "f.svg"
    paths = plot_style.save(curves.by_size(table_of(RANKED)), "data d version 1 - code abc", *files)
    assert [path.name for path in paths] == ["f.png", "f.svg", "f.csv"]
    assert "code abc" in paths[1].read_text() and b"Date" not in paths[1].read_bytes()
    assert Image.open(paths[0]).mode == "P" and paths[0].stat().st_size < 60_000
    assert pl.read_csv(paths[2])["predictor"].unique().sort().to_list() == ["gbdt", "mlp", "nn_former"]


def test_many_predictors_keep_seven_colours_and_all_labels():
    values = {(f"p{i:02}", f, 0): 0.5 + i / 100 for i in range(20) for f in ("0.01", "0.05")}
    values |= {("nn_former", f, 0): 0.6 for f in ("0.01", "0.05")}
    table = table_of(values)
    colours = [colour for colour, _ in plot_style.colours_and_markers(table).values()]
    assert colours.count(plot_style.GREY) == 14 and len(set(colours)) == 8
    figure = curves.by_size(table).figure
    texts = {t.get_text() for t in figure.findobj(plot_style.matplotlib.text.Annotation)}
    assert {f"p{i:02}" for i in range(20)} | {"nn_former"} <= texts


def test_of_very_many_predictors_the_best_have_names():
    values = {(f"p{i:02}", "0.05", 0): 0.5 + i / 100 for i in range(30)}
    texts = {t.get_text() for t in curves.by_cost(table_of(values)).figure.findobj(plot_style.matplotlib.text.Text)}
    named = {text for text in texts if text.startswith("p")}
    assert {"p29", "p28"} <= named and len(named) < 10
    assert any("without a name" in text for text in texts)


def test_end_labels_keep_apart_and_inside():
    placed = text_labels.spread([10.0, 10.0, 11.0, 90.0], 5.0, 0.0, 100.0)
    assert sorted(placed) == placed and min(b - a for a, b in zip(placed, placed[1:], strict=False)) >= 5.0 - 1e-9
    assert placed[3] == 90.0
    crowded = text_labels.spread([50.0] * 30, 10.0, 0.0, 100.0)
    assert min(crowded) >= -1e-9 and max(crowded) <= 100.0 + 1e-9


def test_point_labels_do_not_cover_each_other():
    figure, ax = plot_style.plt.subplots()
    ax.set(xlim=(0, 10), ylim=(0, 10))
    labels = [
        text_labels.Label(f"predictor {i}", 5.0 + 0.3 * (i % 3), 5.0 + 0.3 * (i // 3), "k", False) for i in range(9)
    ]
    plot_style.lay_out(figure)
    text_labels.label_points(ax, labels, [])
    boxes = [text.get_window_extent() for text in ax.texts]
    shared = [text_labels._overlaps(a, text_labels._array(boxes[:i])) for i, a in enumerate(boxes)]
    assert sum(value > 0 for value in shared) <= 2


def test_writing_cells_centres_each_text():
    figure, ax = plot_style.plt.subplots()
    ax.set(xlim=(0, 2), ylim=(0, 2))
    text_labels.write_cells(ax, [(1.0, 1.0, "12.3", "k"), (0.5, 0.5, "–", "k")], 9.0)
    found = ax.collections[0]
    assert found.get_offsets().tolist() == [[1.0, 1.0], [0.5, 0.5]]
    for path in found.get_paths():
        middle = (path.vertices.min(0) + path.vertices.max(0)) / 2
        assert middle == pytest.approx([0.0, 0.0], abs=1e-9)


def test_rows_of_one_seed_have_no_band():
    data = curves.by_size(
        table_of(
            {("gbdt", f, 0): 0.5 for f in ("0.01", "0.05")},
            score_rows_of({("gbdt", f, 0): 0.5 for f in ("0.01", "0.05")}),
        )
    ).data
    assert data["low"].null_count() == 2
