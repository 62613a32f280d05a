"""The board of one grid as a Markdown page: answers, summary, a section for each data set, how it was made."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pipeline.config import grid as grids
from pipeline.config import tuned_on
from pipeline.config.nasflat import NASFLAT
from pipeline.report import overview, sections
from pipeline.report.external import external_section
from pipeline.report.format import (
    MISSING,
    TITLES,
    Notes,
    code,
    folded,
    joined,
    labels,
    markdown,
    plain,
    seed_counts,
    size_name,
    span,
    title,
)  # fmt: skip
from pipeline.report.noise_lines import doubts, noise_lines
from pipeline.report.pair_table import pair_section
from pipeline.report.questions import answers, in_markdown
from pipeline.report.transfer import transfer_section
from pipeline.report.two_way import two_way_section
from pipeline.score.score_table import QUALITY_SPLITS
from pipeline.score.scores import Scores
from pipeline.score.tables import Table

ROOT = "../../"  # from a board to the project
TERMS = """
- **Predictor**: a model that guesses how well (or how fast) a network will do from its graph alone.
- **Labels**: networks whose true value the predictor was given. `125 + 31 val` means 31 more were held back to choose
  settings or an epoch; the whole budget is shown. No choice in a run ever sees a test label.
- **Kendall's τ** (tau-b): agreement of two rankings, from -1 over 0 (chance) to 1.
- **MAPE**: mean absolute percentage error; lower is better. **Acc(10 %)**: share predicted within 10 % of the truth.
- **all**: every labelled network, training networks included, as papers report it. **test**: networks held out by the
  split. **novel**: networks whose isomorphism class is not in the training set. **novel_function**: networks that
  compute what no training network computes, operations that hand their input on (a skip connection) left out.
- **Fit, CPU-s**, **Predict, s**, **Parameters**: processor time of one training, time to predict the whole data set,
  and learned numbers; each at the largest size that all predictors have.
- **±**: half of the 95 % interval of the mean over seeds (Student's t; a mean over data sets: one stratum a data set,
  degrees of freedom by Welch and Satterthwaite). With three seeds it is 2.5 sample standard deviations. A seed draws
  the split and the training set, the same for all, and for each predictor weights of its own. A mean rank has a
  bootstrap interval over seeds, which stays within the ranks.
- **–**: not run, or not on all that the figure is a mean of. **undefined**: no ranking exists, as all predictions are
  equal. **diverged**, **timeout**, **error**, **unsupported**: the run ended that way.
""".strip()
MANY = 24  # rows of a table that is shown folded


@dataclass(frozen=True)
class Picture:
    """A drawn figure: what it shows and its file name without suffix, in html/ with .svg and .csv.

    `png`: it is in plots/ too, and the Markdown board shows it.
    """

    name: str
    file: str
    png: bool = True


@dataclass(frozen=True)
class Content:
    """All that a board is made from.

    `pictures` maps a table's name to its figures, "" to those of the whole grid; `tuned`: see pipeline.config.tuned_on.
    """

    scores: Scores
    pictures: dict[str, list[Picture]]
    tuned: dict[str, list[str]] = field(default_factory=dict)


def page(content: Content) -> str:
    """The whole board as results/<grid>/leaderboard.md, with its pictures in plots/ beside it."""
    scores, notes = content.scores, Notes()
    lines = [
        f"# Leaderboard: {scores.grid.name}",
        "",
        "Each predictor sees the labels of a few networks and predicts all the others.",
        "",
    ]
    if scores.synthetic:
        lines += ["> **SYNTHETIC LABELS: test only.** Labels of the data sets so marked are made up.", ""]
    lines += [line for doubt in doubts(scores.noise) for line in (f"> **{doubt}**", "")]
    for question, sentences in answers(scores.headline).items():
        lines += in_markdown(question, [("", sentences)])
    lines += [
        "[All boards](../leaderboard.md). `snakemake boards --cores 2` makes `html/leaderboard.html`, which sorts and "
        "filters every number, beside `leaderboard.csv` and the figures as SVG.", "",
    ]  # fmt: skip
    lines += transfer_section(scores)
    lines += ["## Summary", "", *overview.summary_table(scores, notes), ""]
    lines += tuned_in_sight(scores.tables, content.tuned, ROOT)
    if len(scores.tables) > 1:
        lines += [*overview.glance(scores.tables), ""]
    for picture in content.pictures.get("", []):
        lines += _picture(picture, scores.grid.name)
    for ranking in scores.rankings:
        lines += overview.rank_section(ranking)
    for two_way in scores.headline.two_ways:
        lines += two_way_section(two_way)
    lines += pair_section(scores.pairs)
    for table in scores.tables:
        lines += section(table, content, notes)
    lines += external_section(scores.external, scores.tables)
    lines += ["## Terms", "", TERMS, "", "## How this was made", "", *provenance(scores), ""]
    return "\n".join([*lines, *notes.lines]).rstrip("\n") + "\n"


def _picture(picture: Picture, heading: str) -> list[str]:
    return [f"![{heading}: {picture.name}](plots/{picture.file}.png)", ""] if picture.png else []


def tuned_in_sight(tables: list[Table], tuned: dict[str, list[str]], root: str) -> list[str]:
    """Predictors whose settings were chosen with labels of these tables in sight; `root` leads to the project."""
    datasets: dict[str, dict[str, None]] = {}  # of each predictor, in the order of the board
    for table in tables:
        for predictor in tuned_on.tuned_predictors(tuned, table.dataset, table.predictors):
            datasets.setdefault(predictor, {})[table.dataset] = None
    if not datasets:
        return []
    where = "; ".join(f"`{predictor}` on {joined(list(names))}" for predictor, names in datasets.items())
    config = f"[config/tuned.yaml]({root}config/tuned.yaml)"
    return [f"Settings chosen with test labels, or labels like them, in sight, which flatters: {where} ({config}).", ""]


def section(table: Table, content: Content, notes: Notes) -> list[str]:
    """The part of the board on one table."""
    scores = content.scores
    trained = f"Trained on `{table.target}`, scored on `{table.scored_on}`"
    if table.target == table.scored_on:
        trained = f"Trained and scored on `{table.target}`"
    lines = [f"## {title(table)}", ""]
    if table.synthetic:
        lines += ["> **SYNTHETIC LABELS: test only. No number in this section says anything about any predictor.**", ""]
    lines += [f"{plain(table.about.description)}. {trained} ([protocol]({ROOT}docs/protocols.md) `{table.protocol}`)."]
    note = NASFLAT.get(table.protocol)
    lines += ["", f"Beside the published task: {note}."] if note else []
    lines += noise_lines(table, scores.noise)
    lines += _main_table(table, scores.grid)
    if table.is_cost:
        lines += _error_table(table, content)
    unseen = [split for split in QUALITY_SPLITS if split != "all" and split in table.splits]
    lines += [f"{TITLES[table.metric]} on networks not trained on, {' / '.join(f'`{split}`' for split in unseen)}:", ""]
    lines += [*sections.pair_table(table, [(table.metric, split) for split in unseen]), ""]
    if len(table.devices) > 1:
        lines += _device_tables(table, content)
    failed = sections.failures(table, scores.messages)
    if failed:
        lines += folded(f"Cells without a number: {len(failed)}", failed, len(failed) <= MANY)
    compared = sections.published_table(table, scores.comparisons[table.name], notes)
    if compared:
        caption = "Published figures beside ours (split {}, scored on {})"
        html = caption.format(f"<code>{table.split}</code>", f"<code>{table.scored_on}</code>")
        text = caption.format(f"`{table.split}`", f"`{table.scored_on}`")
        lines += folded(html, compared) if len(compared) > MANY + 4 else [f"{text}:", "", *compared, ""]
    for picture in content.pictures.get(table.name, []):
        lines += _picture(picture, title(table))
    return lines


def _main_table(table: Table, grid: grids.Grid) -> list[str]:
    counts = seed_counts(table)
    seeds = "one seed" if counts == "one seed" else f"mean ± half of the 95 % interval over {counts}"
    devices = f" (mean of {len(table.devices)} devices)" if len(table.devices) > 1 else ""
    return [
        "", f"**{TITLES[table.metric]}{devices}, split `{table.split}`**; {seeds}; higher is better; "
        "best mean over sizes first:", "", *sections.main_table(table), "",
        f"<sub>{sections.provenance_line(table)} · made by {code(command(grid))}</sub>", "",
    ]  # fmt: skip


def _error_table(table: Table, content: Content) -> list[str]:
    keys = [(metric, table.split) for metric in ("mape", "kendall_tau")]
    lines = [f"MAPE (%, lower is better) / Kendall's τ, split `{table.split}`:", ""]
    lines += [*sections.pair_table(table, keys, content.scores.noise), ""]
    near_zero = sections.near_zero_devices(table)
    if near_zero:
        cards = f"[data cards]({ROOT}docs/data_cards.md)"
        lines += [f"A few labels near zero decide the MAPE on {plain(', '.join(near_zero))} and its mean ({cards})."]
        lines += ["Predictors are ordered by Acc(10 %), which such labels can't move far.", ""]
    return lines


def _device_tables(table: Table, content: Content) -> list[str]:
    lines = []
    keys = f"MAPE / Acc(10 %) / {'ρ' if table.metric == 'spearman' else 'τ'}, split <code>{table.split}</code>"
    for size in table.sizes:
        by_device = sections.device_table(table, size, content.scores.noise)
        named = f", {size_name(size)}" if size.budget.references else ""
        about = f"By device, {labels(size)} labels a device{named}: {keys}"
        lines += folded(about, by_device, size == table.sizes[-1])
    return lines


def command(grid: grids.Grid) -> str:
    """The command that makes a board."""
    path = Path(os.path.relpath(grid.path)).as_posix()
    return (
        "make leaderboard"
        if grid.name == grids.DEFAULT_GRID
        else f"snakemake --cores all --configfile {shlex.quote(path)}"
    )


def provenance_facts(scores: Scores) -> list[tuple[str, str]]:
    """(name, value) of what made the numbers: command, grid, versions, machine."""
    rows, path = scores.rows, Path(os.path.relpath(scores.grid.path)).as_posix()

    def distinct(column: str) -> str:
        values = sorted(str(v) for v in rows[column].drop_nulls().unique())
        return ", ".join(values) if values else MISSING

    versions = {table.dataset: table.version for table in scores.tables}
    cells = rows.select("dataset", "target", "device", "predictor", "budget", "seed").unique().height
    return [
        ("Command", command(scores.grid)),
        ("Grid", f"{path}: {cells} runs"),
        ("Data", "; ".join(f"{name} version {version}" for name, version in versions.items())),
        ("Seeds", span(rows["seed"].unique().to_list())),
        ("Code", distinct("code_rev")),
        ("PyTorch", f"{distinct('torch_version')} on {distinct('torch_device')}"),
        ("Processor", distinct("host_cpu")),
        ("Graphics processor", distinct("host_gpu")),
        ("Last run finished", str(rows["finished_at"].drop_nulls().max() or MISSING)),
    ]


def provenance(scores: Scores) -> list[str]:
    """The facts as a table."""
    facts = dict(provenance_facts(scores))
    path, _, runs = facts["Grid"].rpartition(": ")
    shown = {name: plain(fact) for name, fact in facts.items()}
    shown |= {"Command": code(facts["Command"]), "Grid": f"[{plain(path)}]({ROOT}{quote(path)}): {runs}"}
    return markdown(["", ""], [list(fact) for fact in shown.items()], "ll")
