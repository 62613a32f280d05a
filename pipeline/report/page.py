"""The board as one Markdown page: the answers, the summary, a section for each data set, how it was made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.config import grid as grids
from pipeline.config import tuned_on
from pipeline.report import overview, sections
from pipeline.report.format import MISSING, TITLES, Notes, folded, joined, labels, markdown, span, title
from pipeline.score.label_noise import SECOND, Noise
from pipeline.score.published import Figure
from pipeline.score.ranking import rankings
from pipeline.score.tables import Table

DEFAULT_GRID = "benchmark"
TERMS = """
- **Predictor**: a model that guesses how well (or how fast) a network will do from its graph alone.
- **Labels**: networks whose true value the predictor was given. `125 + 31 val` means 31 more were held back to choose
  settings or an epoch; the whole budget is shown. No choice in a run ever sees a test label.
- **Kendall's τ** (tau-b): agreement of two rankings, from -1 over 0 (chance) to 1.
- **MAPE**: mean absolute percentage error; lower is better. **Acc(10 %)**: share predicted within 10 % of the truth.
- **all**: every labelled network, training networks included, as papers report it. **test**: networks held out by the
  split. **novel**: networks whose isomorphism class is not in the training set, so that nothing was seen before.
- **Fit, CPU-s**, **Predict, s**, **Parameters**: processor time of one training, time to predict the whole data set,
  and learned numbers; each at the largest size.
- **±**: half of the 95 % interval of the mean over seeds (Student's t; a mean over data sets: one stratum a data set,
  degrees of freedom by Welch and Satterthwaite). With three seeds it is 2.5 sample standard deviations. A seed draws
  the split, the training set and the initial weights.
- **–**: not run. **undefined**: no ranking exists, as all predictions are equal. **diverged**, **timeout**,
  **unsupported**: the run ended that way.
""".strip()
MANY = 24  # rows of a table that is shown folded


@dataclass(frozen=True)
class Picture:
    """A drawn figure: what it shows, and the file name of its .svg, .png and .csv without suffix."""

    name: str
    file: str


@dataclass(frozen=True)
class Content:
    """All that a board is made from.

    `pictures` maps a table's name to its figures, "" to those of the whole grid. `others` are the boards that the front
    board links and quotes: `answers.summary` by their name. `tuned`: see `pipeline.config.tuned_on`.
    """

    grid: grids.Grid
    rows: pl.DataFrame
    tables: list[Table]
    figures: list[Figure]
    noise: list[Noise]
    pictures: dict[str, list[Picture]]
    others: dict[str, dict] = field(default_factory=dict)
    tuned: dict[str, list[str]] = field(default_factory=dict)


def page(content: Content, place: Path, out: Path) -> str:
    """The whole board as it stands at `place`; plots and leaderboard.html are under `out`."""
    at_root = place.parent != out
    here = f"{out.name}/" if at_root else ""
    to_root = "../" if at_root else "../../"
    tables, notes = content.tables, Notes()
    lines = [
        f"# Leaderboard: {content.grid.name}",
        "",
        "Each predictor sees the labels of a few networks and predicts all the others.",
        "",
    ]
    if any(table.synthetic for table in tables):
        lines += ["> **SYNTHETIC LABELS: test only.** Labels of the data sets so marked are made up.", ""]
    lines += [*overview.answers_table(tables, content.figures, content.noise, content.others), ""]
    links = [f"[sortable table]({here}leaderboard.html)", f"[all numbers as CSV]({here}leaderboard.csv)"]
    links += [f"[{name}]({'' if at_root else '../'}{name}/leaderboard.md)" for name in content.others]
    lines += [" · ".join(links), ""]
    lines += ["## Summary", "", *overview.summary_table(tables, notes, content.noise), ""]
    lines += _flattered(tables, content.tuned, to_root)
    if len(tables) > 1:
        lines += [*overview.glance(tables), ""]
    for picture in content.pictures.get("", []):
        lines += _picture(picture, content.grid.name, here)
    for ranking in rankings(tables):
        lines += overview.rank_section(ranking)
    command = _command(content.grid)
    for table in tables:
        lines += section(table, content, notes, here, to_root, command)
    lines += ["## Terms", "", TERMS, "", "## How this was made", ""]
    lines += [*provenance(content, to_root), ""]
    return "\n".join([*lines, *notes.lines]).rstrip("\n") + "\n"


def _picture(picture: Picture, of: str, here: str) -> list[str]:
    path = f"{here}plots/{picture.file}"
    return [f"[![{of}: {picture.name}]({path}.png)]({path}.svg)", "", f"<sub>[data]({path}.csv)</sub>", ""]


def _flattered(tables: list[Table], chosen: dict[str, list[str]], to_root: str) -> list[str]:
    """Predictors whose settings were chosen with labels of these tables in sight."""
    mine: dict[str, dict[str, None]] = {}  # data sets of each predictor, in the order of the board
    for table in tables:
        for predictor in tuned_on.on(chosen, table.dataset, table.predictors):
            mine.setdefault(predictor, {})[table.dataset] = None
    if not mine:
        return []
    where = "; ".join(f"`{predictor}` on {joined(list(names))}" for predictor, names in mine.items())
    config = f"[config/tuned.yaml]({to_root}config/tuned.yaml)"
    return [f"Settings chosen with test labels in sight, which flatters: {where} ({config}).", ""]


def section(table: Table, content: Content, notes: Notes, here: str, to_root: str, command: str) -> list[str]:
    """The part of the board on one table."""
    about, n_seeds = table.about, len(table.seeds)
    seeds = f"mean ± half of the 95 % interval over {n_seeds} seeds" if n_seeds > 1 else "one seed"
    trained = f"Trained on `{table.target}`, scored on `{table.scored_on}`"
    if table.target == table.scored_on:
        trained = f"Trained and scored on `{table.target}`"
    lines = [f"## {title(table)}", ""]
    if table.synthetic:
        lines += ["> **SYNTHETIC LABELS: test only. No number in this section says anything about any predictor.**", ""]
    protocols = f"[protocol]({to_root}docs/protocols.md) `{table.protocol}`"
    lines += [f"{about.description}. {trained} ({protocols})."]
    lines += _noise_lines(table, content.noise)
    devices = f" (mean of {len(table.devices)} devices)" if len(table.devices) > 1 else ""
    metric = TITLES[table.metric]
    lines += [
        "", f"**{metric}{devices}, split `{table.split}`**; {seeds}; higher is better; best mean over sizes first:", "",
        *sections.main_table(table), "",
        f"<sub>{sections.provenance_line(table)} · made by `{command}`</sub>", "",
    ]  # fmt: skip
    if table.is_cost:
        lines += [f"MAPE (%, lower is better) / Kendall's τ, split `{table.split}`:", ""]
        lines += [
            *sections.pair_table(table, [(m, table.split) for m in ("mape", "kendall_tau")], content.noise),
            "",
        ]
        near_zero = sections.near_zero_devices(table)
        if near_zero:
            cards = f"[data cards]({to_root}docs/data_cards.md)"
            lines += [f"A few labels near zero decide the MAPE on {', '.join(near_zero)} and its mean ({cards})."]
            lines += ["Predictors are ordered by Acc(10 %), which such labels can't move far.", ""]
    lines += [f"{metric} on networks not trained on, `test` / `novel`:", ""]
    lines += [*sections.pair_table(table, [(table.metric, "test"), (table.metric, "novel")]), ""]
    if len(table.devices) > 1:
        for size in table.sizes:
            keys = f"MAPE / Acc(10 %) / {'ρ' if table.metric == 'spearman' else 'τ'}, split <code>{table.split}</code>"
            caption = f"By device, {labels(size)} labels a device: {keys}"
            lines += folded(caption, sections.device_table(table, size, content.noise), size == table.sizes[-1])
    failed = sections.failures(table)
    if failed:
        lines += folded(f"Cells without a number: {len(failed)}", failed, len(failed) <= MANY)
    compared = sections.published_table(table, content.figures, notes)
    if compared:
        caption = f"Published figures beside ours (split `{table.split}`, scored on `{table.scored_on}`)"
        html = caption.replace(f"`{table.split}`", f"<code>{table.split}</code>")
        html = html.replace(f"`{table.scored_on}`", f"<code>{table.scored_on}</code>")
        lines += folded(html, compared) if len(compared) > MANY + 4 else [f"{caption}:", "", *compared, ""]
    for picture in content.pictures.get(table.name, []):
        lines += _picture(picture, title(table), here)
    return lines


def _noise_lines(table: Table, found: list[Noise]) -> list[str]:
    """How well the section's labels agree with themselves: measured with the scores, or as recorded in the config."""
    of_table = [n for n in found if (n.dataset, n.scored_on) == (table.dataset, table.scored_on)]
    mine = [n for n in of_table if n.device in table.devices]
    lines = []
    for n in (n for n in mine if n.kind != "repeats" and n.kind == table.target):
        tau = n.values["kendall_tau"]
        lines.append(f"`{n.kind}` and `{n.scored_on}` of the same {n.n:,} networks agree to τ {tau:.3f}")
    repeats = [n for n in mine if n.kind == "repeats"]
    if repeats and len(table.devices) == 1:
        n, values = repeats[0], repeats[0].values
        error = f", MAPE {values['mape']:.2f} %, Acc(10 %) {values['acc10']:.1f} %" if "mape" in values else ""
        times = "timed" if table.is_cost else "trained"
        tau = values["kendall_tau"]
        lines.append(f"{n.n:,} networks {times} twice (isomorphic cells) agree to τ {tau:.3f}{error}")
    for n in (n for n in mine if n.kind == SECOND):
        where = f" on `{n.device}`" if len(table.devices) > 1 else ""
        error = f", MAPE {n.values['mape']:.2f} %, Acc(10 %) {n.values['acc10']:.1f} %" if "mape" in n.values else ""
        lines.append(f"{n.n:,} networks measured again{where} agree to τ {n.values['kendall_tau']:.3f}{error}")
    elsewhere = [c for c in table.about.ceilings if not set(c.between.split(" and ")) <= set(table.about.targets)]
    recorded = elsewhere if mine else table.about.ceilings
    for c in recorded:
        if table.scored_on in c.between.split() or table.target in c.between.split():
            lines.append(f"{c.between} agree to τ {c.kendall_tau:.3f} (recorded in config/datasets.yaml)")
    what = "Noise floor" if table.is_cost else "Noise ceiling"
    return ["", f"{what}, how well labels agree with themselves: {'; '.join(lines)}."] if lines else []


def _command(grid: grids.Grid) -> str:
    path = Path(os.path.relpath(grid.path)).as_posix()
    return "make leaderboard" if grid.name == DEFAULT_GRID else f"snakemake --cores all --configfile {path}"


def provenance_facts(content: Content) -> list[tuple[str, str]]:
    """(name, value) of what made the numbers: command, grid, versions, machine."""
    rows, path = content.rows, Path(os.path.relpath(content.grid.path)).as_posix()

    def distinct(column: str) -> str:
        values = sorted(str(v) for v in rows[column].drop_nulls().unique())
        return ", ".join(values) if values else MISSING

    versions = {table.dataset: table.version for table in content.tables}
    cells = rows.select("dataset", "target", "device", "predictor", "fraction", "seed").unique().height
    return [
        ("Command", _command(content.grid)),
        ("Grid", f"{path}: {cells} runs"),
        ("Data", "; ".join(f"{name} version {version}" for name, version in versions.items())),
        ("Seeds", span(rows["seed"].unique().to_list())),
        ("Code", distinct("code_rev")),
        ("PyTorch", f"{distinct('torch_version')} on {distinct('torch_device')}"),
        ("Processor", distinct("host_cpu")),
        ("Graphics processor", distinct("host_gpu")),
        ("Last run finished", str(rows["finished_at"].drop_nulls().max() or MISSING)),
    ]


def provenance(content: Content, link: str) -> list[str]:
    """The facts as a table; `link` leads to the project's root."""
    facts = dict(provenance_facts(content))
    path, _, runs = facts["Grid"].partition(": ")
    facts |= {"Command": f"`{facts['Command']}`", "Grid": f"[{path}]({link}{path}): {runs}"}
    return markdown(["", ""], [list(fact) for fact in facts.items()], "ll")
