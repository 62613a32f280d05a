"""The front page of all boards: results/leaderboard.md, from the scores of every board.

The answers, a row a predictor over the tasks of all boards, and the list of the boards. A board is a folder
results/<grid>/ whose scores.parquet is there and whose grid stands in config/ or config/full/. Boards of made-up labels
are left out where there are others; those of labels that no settings were chosen on come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import tuned_on
from pipeline.config.grid import DEFAULT_GRID
from pipeline.core.names import predictor_of
from pipeline.report.format import (
    MISSING,
    TITLES,
    Notes,
    anchor,
    cell,
    joined,
    labels,
    markdown,
    number,
    plain,
    seed_counts,
    size_name,
    title,
)  # fmt: skip
from pipeline.report.noise_lines import doubts
from pipeline.report.page import tuned_in_sight
from pipeline.report.questions import (
    BEST,
    CHEAPEST,
    FAMILY,
    QUESTIONS,
    RECIPE,
    REPRODUCES,
    SIBLINGS,
    TRANSFER,
    answers,
    in_markdown,
)
from pipeline.report.reproduced import figures_table, not_run
from pipeline.score import scores as score_numbers
from pipeline.score.published import Figure
from pipeline.score.scores import Scores
from pipeline.score.tables import Size, Stat, Table

INTRODUCTION = """
Each predictor sees the labels of a few networks and predicts all the others. This page has one number a task; the
boards have every label budget, held-out networks apart, costs, ranks and published figures. How to read them:
[reading the board](../docs/reading_the_board.md).
""".strip()

Tuned = dict[str, list[str]]  # see pipeline.config.tuned_on
OF_PREDICTORS = (BEST, CHEAPEST, FAMILY)  # a search of settings says nothing of which predictor is best
NO_ANSWER = {
    RECIPE: "no board has several predictors by several recipes yet, so none says",
    SIBLINGS: "no board compares NN-Former with and without masks of siblings yet",
    TRANSFER: "no board has its tasks yet, so none says",
}


@dataclass(frozen=True)
class Column:
    """One task of the front page: a metric of a table at one size, or over all sizes where `size` is None."""

    board: str
    table: Table
    metric: str
    size: Size | None

    def stat(self, label: str) -> Stat:
        """The number of one predictor's label."""
        if self.size is None:
            return self.table.over_sizes(label, self.metric, self.table.split)
        return self.table.stat(label, self.size, self.metric, self.table.split)


def grid_file(name: str, config: Path = Path("config")) -> Path | None:
    """The grid of a board, by its name; None where config/ has no such grid."""
    return next((path for path in (config / f"{name}.yaml", config / "full" / f"{name}.yaml") if path.is_file()), None)


def board_names(results: Path) -> list[str]:
    """The boards in a folder whose grids are known: the default grid first, the others by name."""
    names = [path.parent.name for path in results.glob("*/scores.parquet") if grid_file(path.parent.name)]
    return sorted(names, key=lambda name: (name != DEFAULT_GRID, name))


def load(results: Path) -> dict[str, Scores]:
    """The scores of every board by its name. Raises BenchError as `scores.load`."""
    return {
        name: score_numbers.load(grid_file(name), results / name / "scores.parquet") for name in board_names(results)
    }


def page(boards: dict[str, Scores], tuned: Tuned) -> str:
    """The whole page."""
    real = {name: scores for name, scores in boards.items() if not scores.synthetic}
    shown, notes = real or boards, Notes()
    compared = {name: scores for name, scores in shown.items() if _compares_predictors(scores)}
    compared = dict(sorted(compared.items(), key=lambda board: _place(board[1], tuned)))
    figures = next(iter(shown.values())).figures if shown else []
    lines = ["# Leaderboard", "", *INTRODUCTION.splitlines(), ""]
    if not real:
        lines += ["> **SYNTHETIC LABELS: test only. No number here says anything about any predictor.**", ""]
    for name, scores in shown.items():
        lines += [line for doubt in doubts(scores.noise) for line in (f"> **{_link(name)}: {doubt}**", "")]
    lines += [*answers_of_boards(shown, compared, figures, tuned, notes), *figures_table(shown, figures)]
    lines += ["## Predictors", "", *predictors_table(compared, tuned, notes), ""]
    lines += tuned_in_sight([table for scores in compared.values() for table in scores.tables], tuned, "../")
    lines += ["## Boards", "", *boards_table(shown), ""]
    return "\n".join([*lines, *notes.lines]).rstrip("\n") + "\n"


def _compares_predictors(scores: Scores) -> bool:
    """False for a board of one predictor, or of variants for the most part, which compares these and not predictors."""
    labels = {label for table in scores.tables for label in table.predictors}
    predictors = {predictor_of(label) for label in labels}
    return len(predictors) > 1 and 2 * len(labels & predictors) >= len(labels)


def _place(scores: Scores, tuned: Tuned) -> tuple[bool, int]:
    """Where a board stands: those on whose labels no settings were chosen first, then those of most predictors."""
    return bool(_in_sight(scores.tables, tuned)), -max((len(_representatives(t)) for t in scores.tables), default=0)


def _in_sight(tables: list[Table], tuned: Tuned) -> list[str]:
    """Predictors of some tables whose settings were chosen with their labels, or labels like them, in sight."""
    found = (p for table in tables for p in tuned_on.tuned_predictors(tuned, table.dataset, table.predictors))
    return list(dict.fromkeys(found))


def answers_of_boards(
    boards: dict[str, Scores], compared: dict[str, Scores], figures: list[Figure], tuned: Tuned, notes: Notes
) -> list[str]:
    """The questions, each answered by every board that can.

    Which predictor is best, of all or of a kind, boards that compare several say, and others only where none of these
    does: no question is left open that a board answers.
    """
    texts = {name: answers(scores.headline) for name, scores in boards.items()}
    lines = []
    for question in QUESTIONS:
        asked = [name for name in compared if question in texts[name]] if question in OF_PREDICTORS else []
        answered = [
            (_link(name) + _flattered(boards[name], question, tuned, notes), texts[name][question])
            for name in asked or [name for name in boards if question in texts[name]]
        ]
        if question == REPRODUCES:
            answered += [("", [text]) for text in filter(None, [not_run(boards, figures)])]
        lines += in_markdown(question, answered or [("", [NO_ANSWER.get(question, "no board has such data")])])
    return lines


def _flattered(scores: Scores, question: str, tuned: Tuned, notes: Notes) -> str:
    """A footnote where the labels behind an answer were in sight when settings of a predictor were chosen."""
    tables = [table for table in scores.tables if table.is_cost == (question in (FAMILY, TRANSFER))]
    if question == FAMILY:
        tables = [table for table in tables if table.protocol == "leave_one_family_out"]
    predictors = [] if question == REPRODUCES else _in_sight(tables, tuned)
    if not predictors:
        return ""
    who = joined([f"`{p}`" for p in predictors])
    return notes.mark(
        f"Settings of {who} were chosen with these labels, or labels like them, in sight: a lead flatters it."
    )


def predictors_table(boards: dict[str, Scores], tuned: Tuned, notes: Notes) -> list[str]:
    """A row a predictor, a column a task: labels that no settings were chosen on first, then those of most predictors.

    Rows are in the order of their first column.
    """
    columns = [_column(name, table) for name, scores in boards.items() for table in scores.compared_tables]
    flattered = {column.table: bool(_in_sight([column.table], tuned)) for column in columns}
    columns.sort(
        key=lambda c: (c.table.is_cost, flattered[c.table], -len(_representatives(c.table)), -c.table.about.n_graphs)
    )
    representatives = [_representatives(column.table) for column in columns]
    texts = [_texts(column, labels_of) for column, labels_of in zip(columns, representatives, strict=True)]
    order = list(dict.fromkeys(predictor for of_column in texts for predictor in of_column))
    variants: dict[str, dict[str, None]] = {}
    for column, labels_of in zip(columns, representatives, strict=True):
        for predictor, label in labels_of.items():
            if label != predictor:
                variants.setdefault(predictor, {})[f"`{label}` on {column.table.dataset}"] = None
    rows = []
    for predictor in order:
        mark = notes.mark(f"As {'; '.join(variants[predictor])}.") if predictor in variants else ""
        rows.append([f"`{predictor}`{mark}", *(of_column.get(predictor, MISSING) for of_column in texts)])
    return [*markdown(["Predictor", *map(_heading, columns)], rows), *_better_forms(columns, representatives)]


def _better_forms(columns: list[Column], representatives: list[dict[str, str]]) -> list[str]:
    """Which forms of predictors, without a row of their own, are better than the best of the rows."""
    found = []
    for column, labels_of in zip(columns, representatives, strict=True):
        stats = {label: column.stat(label) for label in column.table.predictors}
        complete = {label: stat.mean for label, stat in stats.items() if stat.complete}
        better = max(complete, key=lambda label: column.table.better(column.metric, complete[label]), default=None)
        if better and better not in labels_of.values():
            found.append(f"`{better}` {number(complete[better], column.metric)} on {column.table.dataset}")
    end = f" Other forms of predictors on the same boards are better: {joined(found)}." if found else ""
    return ["", f"Bold is the best of the rows, a form of each predictor.{end}"]


def _column(board: str, table: Table) -> Column:
    """The number that stands for a table: at 5 % of the labels or else the most, or the mean over families left out."""
    if not any(size.budget.is_drawn for size in table.sizes) and len(table.sizes) > 1:
        return Column(board, table, "mape" if table.is_cost else table.metric, None)
    sizes = table.shared_sizes
    return Column(board, table, table.metric, next((s for s in sizes if str(s.budget) == "0.05"), sizes[-1]))


def _representatives(table: Table) -> dict[str, str]:
    """The label that stands for each predictor: the bare one, or else the first of its variants in the grid."""
    first: dict[str, str] = {}
    for label in table.predictors:
        first.setdefault(predictor_of(label), label)
    return {predictor: predictor if predictor in table.predictors else label for predictor, label in first.items()}


def _texts(column: Column, labels_of: dict[str, str]) -> dict[str, str]:
    """The number of each predictor, best first, the best in bold; those without a number last."""
    stats = {predictor: column.stat(label) for predictor, label in labels_of.items()}
    stats = {predictor: stat for predictor, stat in stats.items() if stat.expected}

    def place(predictor: str) -> tuple:
        mean = stats[predictor].mean
        return (mean is None, 0.0 if mean is None else -column.table.better(column.metric, mean), predictor)

    order = sorted(stats, key=place)
    complete = [p for p in order if stats[p].complete]
    best = number(stats[complete[0]].mean, column.metric) if complete else None
    return {p: cell(stats[p], column.metric, number(stats[p].mean, column.metric) == best) for p in order}


def _heading(column: Column) -> str:
    table, size = column.table, column.size
    link = f"[{table.dataset}]({column.board}/leaderboard.md#{anchor(title(table))})"
    where = "" if len(table.devices) == 1 else f"<br>mean of {len(table.devices)} devices"
    protocol = "" if table.protocol in ("direct", "tnasp") else f", {table.protocol.replace('_', ' ')}"
    if size is None:
        budget = f"mean of {len(table.sizes)} families left out"
        protocol = ""
    else:
        budget = f"{labels(size)} labels" + (f" ({size_name(size)})" if size_name(size) else "")
    metric = TITLES[column.metric].removeprefix("Kendall's ").removeprefix("Spearman's ")
    return f"{link}{protocol}<br>{metric}, {budget}{where}"


def boards_table(boards: dict[str, Scores]) -> list[str]:
    """What each board is about."""
    rows = []
    for name, scores in boards.items():
        tables = list(dict.fromkeys(f"{table.dataset} {table.scored_on}" for table in scores.compared_tables))
        predictors = {label for table in scores.tables for label in table.predictors}
        runs = scores.rows.select("dataset", "target", "device", "predictor", "budget", "seed").unique().height
        seeds = "; ".join(dict.fromkeys(seed_counts(table) for table in scores.compared_tables))
        finished = str(scores.rows["finished_at"].drop_nulls().max() or MISSING).partition("T")[0]
        rows.append([_link(name), ", ".join(tables), str(len(predictors)), f"{runs:,}", seeds, plain(finished)])
    return markdown(["Board", "Data", "Predictors and variants", "Runs", "Seeds", "Last run"], rows, "llrrll")


def _link(name: str) -> str:
    return f"[{name}]({name}/leaderboard.md)"


def pages(results: Path) -> dict[Path, bytes]:
    """The page by its path, from the scores in a folder."""
    return {results / "leaderboard.md": page(load(results), tuned_on.load()).encode()}
