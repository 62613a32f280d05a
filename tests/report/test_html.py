"""The HTML board: what is in the file, and how it behaves in a headless Chromium (skipped where there is none)."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.report import csv_rows, html, page, report
from pipeline.score.scores import Scores
from pipeline.score.tables import tables_of as tables_of_grid
from tests.helpers import browser
from tests.helpers.board_fixtures import ABOUT, RANKED, TAUS, costs_of, grid_of, scores_of, table_of, tables_of
from tests.helpers.score_fixtures import DATASET, score_rows_of

NEEDS_CHROMIUM = pytest.mark.skipif(
    browser.executable() is None, reason=f"no Chromium here: none of {', '.join(browser.NAMES)} is on the path"
)
SHOWN = "[...document.querySelectorAll('#rows tbody tr')].filter(r => !r.hidden)"


def content_of(tables, pictures=None) -> page.Content:
    return page.Content(scores_of(tables), pictures or {})


def page_of(content: page.Content) -> str:
    return html.page(content, csv_rows.rows(content.scores))


def test_the_page_holds_the_rows_of_the_csv():
    table = table_of(TAUS)
    rows, text = csv_rows.rows(scores_of([table])), page_of(content_of([table]))
    assert rows.height == 6 and text.count("<tr") == 6 + 1 + 9
    found = dict(zip(rows.select("predictor", "n_train").iter_rows(), rows["mean"], strict=True))
    assert found == {
        ("mean", 10): None, ("mean", 50): None, ("gbdt", 10): pytest.approx(0.71), ("gbdt", 50): 0.8,
        ("nn_former", 10): pytest.approx(0.81), ("nn_former", 50): 0.88,
    }  # fmt: skip
    for part in ("τ 0.710 ± 0.127", "τ 0.880", "undefined", "abc1234", "nn_former", "Hand"):
        assert (part in text) == (part != "Hand")


def test_the_page_asks_for_nothing_from_elsewhere():
    text = page_of(content_of([table_of(TAUS)], {"": [page.Picture("p", "p")]}))
    assert not re.findall(r"(?:https?:)?//[a-z]", re.sub(r"^.*// gaps.*$", "", text, flags=re.MULTILINE))
    assert set(re.findall(r"(?:src|href)=\"?([^\"> ]+)", text)) == {
        "data:,", "leaderboard.csv", "../leaderboard.md", "../scores.parquet", "../../leaderboard.md", "p.svg", "p.csv",
    }  # fmt: skip


def test_names_from_outside_are_escaped():
    rows = score_rows_of(RANKED, host_cpu="<script>alert(1)</script>")
    text = page_of(content_of([table_of(RANKED, rows, replace(ABOUT, description="<b>"))]))
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text


def test_made_up_labels_are_said_to_be_made_up():
    text = page_of(content_of([table_of(RANKED, about=replace(ABOUT, synthetic=True))]))
    assert "SYNTHETIC LABELS: test only" in text and "SYNTHETIC τ 0.810" in text


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A finished page with its plots and data: accuracy at two sizes, latency on two devices."""
    folder = tmp_path_factory.mktemp("results") / "tiny"
    values = {(p, "n10", s): 10.0 * (i + 1) + s for i, p in enumerate(("nn_former", "gbdt")) for s in range(3)}
    parts, changes = zip(*(costs_of(values, device=device) for device in ("phone", "watch")), strict=True)
    accuracy = grid_of(RANKED)
    cells = [cell for change in changes for cell in grid_of(values, **change).cells]
    grid = replace(accuracy, cells=(*accuracy.cells, *cells))
    rows = score_rows_of(RANKED).vstack(parts[0]).vstack(parts[1])
    scores = Scores(grid, rows, tables_of_grid(grid, rows, {DATASET: ABOUT}, "scores"), [], [])
    report.write(scores, folder, folder / "data")
    for path in (folder / "scores.parquet", folder.parent / "leaderboard.md"):
        path.write_bytes(b"")
    return folder / "html"


def test_every_link_of_the_page_leads_somewhere(place):
    links = set(re.findall(r"(?:src|href)=\"([^\"]+)", (place / "leaderboard.html").read_text(encoding="utf-8")))
    links -= {"data:,"}
    assert all((place / link).is_file() for link in links)
    figures = {link for link in links if "-" in link}
    assert {Path(link).suffix for link in figures} == {".svg", ".csv"}
    assert figures == {path.name for path in place.iterdir() if not path.name.startswith("leaderboard.")}


@pytest.fixture(scope="module")
def tab(place, tmp_path_factory):
    """A browser tab on the page, closed after the last test."""
    with browser.chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def opened(tab, place):
    """The page, fresh, at 1400 pixels."""
    tab.errors.clear()
    tab.requests.clear()
    tab.look(1400)
    tab.open(place / "leaderboard.html")
    yield tab
    assert tab.errors == []
    assert all(address.startswith(place.parent.resolve().as_uri()) or address == "data:," for address in tab.requests)


def names(page) -> list[str]:
    return page.run(f"{SHOWN}.map(r => r.cells[0].textContent)")


def choose(page, name: str, value: str) -> None:
    page.run(
        f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change')); }})"
        f"(document.getElementById('filters').elements[{name!r}])"
    )


def click(page, heading: str) -> None:
    page.run(f"[...document.querySelectorAll('#rows th button')].find(b => b.textContent === {heading!r}).click()")


@NEEDS_CHROMIUM
def test_it_opens_on_the_first_task_at_five_percent_best_first(opened):
    assert names(opened) == ["nn_former", "gbdt", "mlp"]
    assert opened.run("document.getElementById('count').textContent") == "3 of 12 rows"
    assert opened.run("document.getElementById('filters').elements.size.value") == "0.05"


@NEEDS_CHROMIUM
def test_a_click_on_a_heading_sorts_and_another_turns_round(opened):
    click(opened, "Result")
    assert names(opened) == ["mlp", "gbdt", "nn_former"]
    assert opened.run("document.querySelector('#rows th[aria-sort=ascending]').textContent") == "Result"
    click(opened, "Predictor")
    assert names(opened) == ["gbdt", "mlp", "nn_former"]
    click(opened, "Novel")
    assert names(opened)[0] == "nn_former"


@NEEDS_CHROMIUM
def test_filters_narrow_each_other(opened):
    choose(opened, "task", f"{DATASET}-direct-lat_ms")
    assert names(opened) == ["nn_former", "gbdt"]
    assert opened.run("document.getElementById('filters').elements.device.value") == "mean of 2"
    choose(opened, "device", "watch")
    assert opened.run(f"{SHOWN}.map(r => r.dataset.device)") == ["watch", "watch"]
    opened.run("(q => { q.value = 'GB'; q.dispatchEvent(new Event('input')); })(document.querySelector('[name=q]'))")
    assert names(opened) == ["gbdt"]


@NEEDS_CHROMIUM
def test_all_rows_come_back_and_gaps_sort_last(opened):
    opened.run("new Promise(done => { document.querySelector('[type=reset]').click(); setTimeout(done, 50); })")
    assert len(names(opened)) == 12
    click(opened, "MAPE, %")
    empty = opened.run(f"{SHOWN}.map(r => r.cells[8].textContent === '')")
    assert empty == sorted(empty) and any(empty)
    click(opened, "MAPE, %")
    assert opened.run(f"{SHOWN}.map(r => r.cells[8].textContent === '')") == empty


@NEEDS_CHROMIUM
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_the_screen_in_both_colour_schemes(opened, width, dark):
    opened.look(width, dark=dark)
    assert opened.run("document.documentElement.scrollWidth") == width
    paper, ink = opened.run(
        "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
        ".map(c => c.match(/\\d+/g).map(Number).reduce((a, b) => a + b))"
    )
    assert (paper < 150 and ink > 600) if dark else (paper > 600 and ink < 150)
    size = opened.run(f"Math.min(...{SHOWN}.map(r => parseFloat(getComputedStyle(r.cells[4]).fontSize)))")
    assert size >= 13
    if width == 390:  # cards: the heading row is gone, every value has its name
        assert opened.run("getComputedStyle(document.querySelector('#rows thead')).display") == "none"
        choose(opened, "sort", "0")
        assert names(opened) == ["gbdt", "mlp", "nn_former"]


@NEEDS_CHROMIUM
def test_the_pictures_load(opened):
    opened.run("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
    script = "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    widths = opened.run(script)
    assert len(widths) >= 4 and min(widths) > 100


def test_two_tables_share_one_page():
    parts = [score_rows_of(TAUS, protocol="tnasp", target="val_acc", scored_on=s) for s in ("val_acc", "test_acc")]
    tables = tables_of(TAUS, parts[0].vstack(parts[1]), protocol="tnasp", target="val_acc")
    text = page_of(content_of(tables))
    assert text.count("<option value=") - text.count('<option value=""') == 2
