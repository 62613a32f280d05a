"""The noise floor of labels measured twice stands beside every predictor's error."""

from __future__ import annotations

from dataclasses import replace

from pipeline.report import csv_rows, html, overview, page, sections
from pipeline.report.format import Notes
from pipeline.report.questions import answers
from pipeline.score.label_noise import BUSY, FAULTY, RERUN, SECOND, Noise, dump, parse
from tests.helpers.board_fixtures import ABOUT, costs_of, scores_of, table_of
from tests.helpers.score_fixtures import DATASET

VALUES = {(p, word, 0): 10.0 for p in ("nnlp", "tpu") for word in ("without-a", "without-b")}
FLOOR = Noise(DATASET, "lat_ms", "phone", SECOND, 33, {"kendall_tau": 0.987, "mape": 1.25, "acc10": 99.0})


def table():
    rows, changes = costs_of(VALUES, "leave_one_family_out")
    return table_of(VALUES, rows, replace(ABOUT, families=("a", "b")), **changes)


def content(noise):
    return page.Content(scores_of([table()], noise=noise), {})


def test_the_table_of_errors_begins_with_it():
    keys = [("mape", "test"), ("kendall_tau", "test")]
    lines = sections.pair_table(table(), keys, [FLOOR])
    assert lines[2] == "| *measured again* | *1.25 / 0.987* | *1.25 / 0.987* |"
    assert lines[3].startswith("| `nnlp` | 10.00 / ")
    assert sections.pair_table(table(), keys, [])[2].startswith("| `nnlp` |")


def test_it_stands_in_the_section_the_summary_and_the_answer():
    text = page.page(content([FLOOR]))
    assert "33 networks measured again agree to τ 0.987, MAPE 1.25 %, Acc(10 %) 99.0 %" in text
    assert "| *measured again* |" in text and "<br>noise floor 1.25 / 99.00 |" in text
    assert "; labels measured again: 1.25 %\n" in text
    without = page.page(content([]))
    assert not any(word in without for word in ("measured again", "noise floor"))


def test_another_run_of_the_chip_is_named_with_its_other_form():
    rows, changes = costs_of(VALUES, "leave_one_family_out")
    about = replace(ABOUT, families=("a", "b"), reruns={"phone": "old_phone"})
    scores = scores_of([table_of(VALUES, rows, about, **changes)], noise=[replace(FLOOR, kind=RERUN)])
    text = page.page(page.Content(scores, {}))
    assert "33 networks on `phone` and on `old_phone`, scaled by one factor, agree to τ 0.987, MAPE 1.25 %" in text
    assert "measured again" not in text


def test_it_stands_in_every_row_of_the_html_page():
    made = content([FLOOR])
    text = html.page(made, csv_rows.rows(made.scores))
    assert text.count("10.00 (noise 1.25)") == 4


def test_devices_have_their_own():
    elsewhere, none = (scores_of([table()], noise=noise) for noise in ([replace(FLOOR, device="watch")], []))
    assert answers(elsewhere.headline) == answers(none.headline)
    heading = overview.summary_table(elsewhere, Notes())[0]
    assert "noise floor" not in heading


def test_labels_left_out_are_counted():
    noise = [FLOOR, Noise(DATASET, "lat_ms", "phone", FAULTY, 128, {"share": 0.82})]
    text = page.page(content(noise))
    assert "(../../docs/data_cards.md#faulty-labels)): 128 of `phone` (0.82 %); they are left out" in text
    assert "cannot be" not in page.page(content([FLOOR]))


def test_a_board_opens_with_labels_in_doubt():
    """Before every answer and number, on the Markdown and the HTML board; a good floor says nothing."""
    bad = replace(FLOOR, values={**FLOOR.values, "mape": 29.0})
    busy = Noise(DATASET, "lat_ms", "phone", BUSY, 12, {"share": 6.0})
    said = "own; 12 labels (6.0 %) were timed beside other work and never twice alike. Time again"
    made = content([bad, busy])
    text = page.page(made)
    assert said in text.partition("## Summary")[0].partition("**What is")[0]
    assert "29.0 % apart when measured again" in html.page(made, csv_rows.rows(made.scores)).partition("<table")[0]
    assert "Labels in doubt" not in page.page(content([FLOOR]))
    assert parse(dump([bad, busy])) == [bad, busy]
    few = page.page(content([replace(busy, n=1, values={"share": 0.4})]))
    assert "Labels in doubt" not in few and "On `phone`, 1 label (0.4 %) was timed beside" in few
