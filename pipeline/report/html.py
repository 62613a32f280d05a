"""The board as one HTML file: the rows of `pipeline.report.csv_rows`, sorted and filtered by the browser alone."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from string import Template

import polars as pl

from pipeline.core.names import is_focus
from pipeline.report.format import MISSING, TITLES, compact, number, size_header, title
from pipeline.report.noise_lines import doubts
from pipeline.report.page import Content, Picture, provenance_facts
from pipeline.report.questions import answers
from pipeline.score.label_noise import floor as noise_floor
from pipeline.score.scores import Scores
from pipeline.score.tables import Table

TEMPLATE = Path(__file__).with_name("leaderboard.html")
# Heading, kind: text, or the way that is better, which a first click sorts to the top.
COLUMNS = (
    ("Predictor", "text"), ("Task", "text"), ("Device", "text"), ("Labels", "less"), ("Result", "more"),
    ("Test", "more"), ("Novel", "more"), ("New function", "more"), ("τ", "more"), ("MAPE, %", "less"),
    ("Acc(10 %), %", "more"), ("Fit, CPU-s", "less"), ("Parameters", "less"), ("Rank", "less"), ("Published", "more"),
    ("Seeds", "more"),
)  # fmt: skip
SORTED = 4


def page(content: Content, rows: pl.DataFrame) -> str:
    """The whole page, as results/<grid>/html/leaderboard.html beside leaderboard.csv and the figures."""
    scores = content.scores
    tables = {(t.dataset, t.protocol, t.scored_on): t for t in scores.tables}
    headers = {
        (t.name, s.budget.own_labels): size_header(s).replace("<br>", ": ") for t in scores.tables for s in t.sizes
    }
    starts = {(t.name, _start(t)) for t in scores.tables}
    best = _best(rows)
    lines = []
    for row in rows.iter_rows(named=True):
        table = tables[row["dataset"], row["protocol"], row["scored_on"]]
        devices = [row["device"]] if row["device"] in table.devices else table.devices
        row["floor"] = noise_floor(scores.noise, table.dataset, table.scored_on, devices).get("mape")
        lines.append(_row(row, table, headers[table.name, row["size"]], (table.name, row["size"]) in starts, best))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Leaderboard: {scores.grid.name}"),
        warning=_warnings(scores),
        answers="\n".join(
            f"<div><dt>{escape(question)}</dt><dd>{_rich('; '.join(sentences))}</dd></div>"
            for question, sentences in answers(scores.headline).items()
        ),
        tasks="".join(f'<option value="{escape(t.name)}">{escape(title(t))}</option>' for t in scores.tables),
        heads="".join(
            f'<th scope="col" data-kind="{kind}"{" class=left" if kind == "text" else ""}>'
            f'<button type="button">{escape(name)}</button></th>'
            for name, kind in COLUMNS
        ),
        rows="\n".join(lines),
        figures=_figures(content),
        facts="\n".join(
            f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in provenance_facts(scores)
        ),
        sorted=SORTED,
    )


def _warnings(scores: Scores) -> str:
    """What a reader must know before any number."""
    texts = ["SYNTHETIC LABELS: test only. No number here is a result."] if scores.synthetic else []
    texts = [escape(text) for text in texts] + [_rich(doubt) for doubt in doubts(scores.noise)]
    return "".join(f'<p class="warn">{text}</p>' for text in texts)


def _start(table: Table) -> str:
    """The size a reader sees first: 5 % of the labels, or else the largest."""
    words = [size.budget.own_labels for size in table.sizes]
    return "0.05" if "0.05" in words else words[-1] if words else ""


def _best(rows: pl.DataFrame) -> dict[tuple, float]:
    """The best main result of each data set and protocol, which fills a bar."""
    grouped = rows.group_by("dataset", "protocol", "scored_on").agg(pl.max("mean"))
    return {key: value for *key, value in grouped.iter_rows() for key in [tuple(key)]}


def _row(row: dict, table: Table, size: str, start: bool, best: dict) -> str:
    metric = row["metric"]
    result = row["status"] if row["mean"] is None else number(row["mean"], metric)
    if row["half_interval"] is not None:
        result += f" ± {number(row['half_interval'], metric)}"
    top = best[row["dataset"], row["protocol"], row["scored_on"]]
    width = 100.0 * row["mean"] / top if row["mean"] is not None and top and top > 0 else 0.0
    published = row["published"]
    published_text = ""
    if published is not None:
        kind, _, confidence = row["published_confidence"].partition(" ")
        name = TITLES.get(kind, kind).removesuffix(", %").removeprefix("Kendall's ")
        published_text = f"{name} {number(published, kind)} ({confidence})"
    values: list[tuple[object, str]] = [
        (row["predictor"], row["predictor"]),
        (title(table), title(table)),
        (row["device"], "" if row["device"] == "any" else row["device"]),
        (row["n_train"], row["labels"]),
        (row["mean"], f"{'SYNTHETIC ' if table.synthetic else ''}{_short(metric)} {result}"),
        *((row[name], number(row[name], metric)) for name in ("test", "novel", "novel_function")),
        (row["kendall_tau"], number(row["kendall_tau"], "kendall_tau")) if metric != "kendall_tau" else (None, ""),
        (row["mape"], _mape(row)) if metric != "mape" else (None, ""),
        (row["acc10"], number(row["acc10"], "acc10")),
        (row["fit_cpu_s"], compact(row["fit_cpu_s"], 2)),
        (row["n_params"], compact(row["n_params"])),
        (row["rank"], MISSING if row["rank"] is None else f"{row['rank']:g}"),
        (published, published_text),
        (int(row["seeds"].partition("/")[0]), row["seeds"]),
    ]
    cells = []
    for i, ((name, kind), (value, text)) in enumerate(zip(COLUMNS, values, strict=True)):
        classes = " ".join(filter(None, ("left" * (kind == "text"), "main" * (i == SORTED), "task" * (i == 1))))
        style = f' style="--w:{max(width, 0.0):.1f}%"' if i == SORTED else ""
        raw = "" if value is None else f"{value:.9g}" if isinstance(value, float) else str(value)
        shown = "" if text == MISSING else text
        cells.append(
            f'<td data-name="{escape(name)}" data-v="{escape(raw)}"'
            f"{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}{style}>{escape(shown)}</td>"
        )
    css_class = ' class="ours"' if is_focus(row["predictor"]) else ""
    facts = f'data-task="{escape(table.name)}" data-size="{escape(row["size"])}" data-size-text="{escape(size)}"'
    first = ' data-start="1"' if start else ""
    return f'<tr{css_class} {facts} data-device="{escape(row["device"])}"{first}>{"".join(cells)}</tr>'


def _mape(row: dict) -> str:
    floor = "" if row["floor"] is None or row["mape"] is None else f" (noise {number(row['floor'], 'mape')})"
    return f"{number(row['mape'], 'mape')}{floor}"


def _short(metric: str) -> str:
    return {"kendall_tau": "τ", "spearman": "ρ", "acc10": "Acc(10 %)", "mape": "MAPE"}[metric]


def _figures(content: Content) -> str:
    parts = []
    titles = {table.name: title(table) for table in content.scores.tables}
    for name, pictures in content.pictures.items():
        heading = titles.get(name, content.scores.grid.name)
        figures = "\n".join(_figure(picture, heading) for picture in pictures)
        parts.append(f"<h2>{escape(heading)}</h2>\n<div class=plots>\n{figures}\n</div>")
    return "\n".join(parts)


def _figure(picture: Picture, heading: str) -> str:
    file, alt = escape(picture.file), escape(f"{heading}: {picture.name}")
    links = f'<small><a href="{file}.svg">SVG</a> · <a href="{file}.csv">CSV</a></small>'
    image = f'<a href="{file}.svg"><img src="{file}.svg" alt="{alt}" loading="lazy"></a>'
    return f"<figure>{image}<figcaption>{escape(picture.name)} {links}</figcaption></figure>"


def _rich(text: str) -> str:
    """Markdown's bold and code as HTML; parts between semicolons on lines of their own."""
    lines = []
    for part in text.split("; "):
        code = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(part, quote=False))
        bold = re.sub(r"[*][*](.+?)[*][*]", r"<b>\1</b>", code)
        lines.append(f"<span>{bold}</span>")
    return "".join(lines)
