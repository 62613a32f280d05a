"""Descriptions, processors, devices, settings and messages come out on boards as text."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pipeline.report import page, sections
from pipeline.report.format import Notes, code, markdown, plain
from tests.helpers.board_fixtures import ABOUT, TAUS, scores_of, table_of
from tests.helpers.score_fixtures import score_rows_of

HOSTILE = "| a | b\n\n# Heading\n![x](http://evil/x.png) <img src=x> **b** `c` [l](u) &lt; [^1] _e_ ~~s~~ $m$"


@pytest.mark.hostile("names")
def test_nothing_that_markdown_takes_for_markup_is_left():
    text = plain(HOSTILE)
    assert "\n" not in text
    assert text == (
        "| a | b # Heading !\\[x\\](http\\://evil/x.png) \\<img src=x> \\*\\*b\\*\\* \\`c\\` \\[l\\](u) "
        "\\&lt; \\[^1\\] \\_e\\_ \\~\\~s\\~\\~ \\$m\\$"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# h", "\\# h"),
        ("- item", "\\- item"),
        ("> quoted", "\\> quoted"),
        ("1. first", "1\\. first"),
        ("=====", "\\====="),
        ("a\\|b", "a\\\\|b"),
        ("www.evil.org", "www\\.evil.org"),
        ("2.13.0+cpu on cpu", "2.13.0+cpu on cpu"),
        ("Intel(R) Xeon(R) CPU @ 2.80GHz, 2 cores", "Intel(R) Xeon(R) CPU @ 2.80GHz, 2 cores"),
        ("titan_rtx_32 and 6,760 < 7,000 & more", "titan_rtx_32 and 6,760 < 7,000 & more"),
    ],
)
def test_plain_words_stay_as_they_are(text, shown):
    assert plain(text) == shown


@pytest.mark.hostile("names")
def test_code_stays_in_its_place():
    assert code("a `b`\n| c\x1b[0m") == "`a 'b' | c [0m`"


@pytest.mark.hostile("names")
@pytest.mark.parametrize("text", [HOSTILE, "a\\|b", "|", "\\"])
def test_no_cell_ends_its_row(text):
    header, rule, row = markdown(["", ""], [[plain(text), code(text)]])
    assert header == "|  |  |" and rule == "| :--- | ---: |"
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def hostile_page() -> str:
    rows = score_rows_of(TAUS, host_cpu=HOSTILE, host_gpu=HOSTILE, code_rev=HOSTILE, torch_version=HOSTILE)
    about = dataclasses.replace(ABOUT, description=HOSTILE)
    table = table_of(TAUS, rows, about)
    scores = dataclasses.replace(
        scores_of([table]), messages={("synthetic_toy", "test_acc", "any", "nn_former", "0.05", 1): HOSTILE}
    )
    scores = dataclasses.replace(scores, grid=dataclasses.replace(scores.grid, path="config/a|b `c`;\n](x).yaml"))
    return page.page(page.Content(scores, {}))


@pytest.mark.hostile("names")
def test_a_board_of_hostile_words_has_the_same_headings_and_tables():
    said = hostile_page()
    table = table_of(TAUS)
    usual = page.page(page.Content(scores_of([table]), {}))

    def skeleton(text: str) -> list[str]:
        marks = ("#", "| :", "<details", "![")
        return [line for line in text.splitlines() if line.startswith(marks)]

    assert skeleton(said) == skeleton(usual)
    outside_code = said.replace(code(HOSTILE), "")
    assert "<img" not in outside_code.replace("\\<img", "")
    assert "![x]" not in outside_code
    widths = [line.replace("\\|", "").count("|") for line in said.splitlines() if line.startswith("| Processor")]
    assert widths == [3]


@pytest.mark.hostile("names")
def test_settings_are_code():
    table = table_of(TAUS, score_rows_of(TAUS))
    table.overrides["gbdt"] = '{"name": "`</code>|"}'
    notes = Notes()
    sections._settings_mark(table, "gbdt", notes)
    assert '`{"name": "\'</code>|"}`' in notes.lines[0]
