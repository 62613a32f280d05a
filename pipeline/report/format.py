"""Words and numbers of the board: how values, sizes, label budgets and tables are written. No number is made here."""

from __future__ import annotations

import re
from decimal import Decimal

from pipeline.config.budget import Kind
from pipeline.score.tables import Size, Stat, Table

MISSING = "–"
DIGITS = {"kendall_tau": 3, "spearman": 3}  # all other metrics are percentages: 2
TITLES = {"kendall_tau": "Kendall's τ", "mape": "MAPE, %", "acc10": "Acc(10 %), %", "spearman": "Spearman's ρ"}


MARKUP = re.compile(r"[\\`*\[\]~$]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)[.]", re.IGNORECASE)
AT_START = re.compile(r"^(?:[#>+=-]|\d+(?=[.)](?:\s|$)))")


def plain(text: object) -> str:
    """Words from outside (a description, a device, a processor's name) as Markdown that shows just these words.

    They come on one line. No heading, list, link, image, HTML, emphasis or code is made of them.
    """
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    words = MARKUP.sub(r"\\\g<0>", words)
    start = AT_START.match(words)
    if not start:
        return words
    return f"{start[0]}\\{words[start.end() :]}" if start[0].isdigit() else f"\\{words}"


def code(text: object) -> str:
    """Words from outside as code, on one line."""
    words = "".join(letter if letter.isprintable() else " " for letter in str(text).replace("`", "'"))
    return f"`{' '.join(words.split())}`"


def markdown(header: list[str], rows: list[list[str]], align: str = "") -> list[str]:
    """A Markdown table; `align` has one letter a column, l or r (default: first column left, the others right).

    No text of a cell ends the cell or the row: give bars as they are.
    """
    align = align or "l" + "r" * (len(header) - 1)
    rule = ["---:" if side == "r" else ":---" for side in align]
    lines = ([" ".join(text.replace("|", "\\|").splitlines()) for text in cells] for cells in (header, rule, *rows))
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def folded(caption: str, lines: list[str], opened: bool = False) -> list[str]:
    """`lines` behind a caption that opens them."""
    return [f"<details{' open' if opened else ''}><summary>{caption}</summary>", "", *lines, "", "</details>", ""]


class Notes:
    """Footnotes: the same text has one mark, and `lines` gives them in order of first use."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, text: str) -> str:
        """The mark that refers to a footnote."""
        return f"[^{self._marks.setdefault(text, str(len(self._marks) + 1))}]"

    @property
    def lines(self) -> list[str]:
        """The footnotes, one a line."""
        return [f"[^{mark}]: {text}" for text, mark in self._marks.items()]


def number(value: float | None, metric: str, more: int = 0) -> str:
    """A metric's value with its usual digits and some more; an en dash without one."""
    return MISSING if value is None else f"{value:z.{DIGITS.get(metric, 2) + more}f}"


def p_text(p: float) -> str:
    """A p value with two significant digits, from 0.0001 up."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def cell(stat: Stat, metric: str, bold: bool = False, spread: bool = True) -> str:
    """Mean ± half of its 95 % interval; where seeds lack a number, how many have one, or why none has."""
    if stat.mean is None:
        reasons = list(dict.fromkeys(status for _, status in stat.failed))
        return MISSING if not reasons or reasons == ["missing"] else " / ".join(r for r in reasons if r != "missing")
    text = number(stat.mean, metric)
    if spread and stat.half is not None:
        text += f" ± {number(stat.half, metric)}"
    if bold:
        text = f"**{text}**"
    if not stat.complete:
        text += f" ({len(stat.values)} of {stat.expected} seeds)"
    return text


def slashed(stats: list[tuple[str, Stat]], bold: tuple[bool, ...] = ()) -> str:
    """Means of several (metric, stat), parted by slashes, in bold where asked; one word where all say the same."""
    bold = bold or (False,) * len(stats)
    texts = [cell(stat, metric, strong, False) for (metric, stat), strong in zip(stats, bold, strict=True)]
    if all(stat.mean is None for _, stat in stats) and len(set(texts)) == 1:
        return texts[0]
    return " / ".join(texts)


def percent(fraction: str | Decimal) -> str:
    """A fraction as a percentage: 0.005 is `0.5 %`."""
    return f"{(Decimal(fraction) * 100).normalize():f} %"


def size_name(size: Size) -> str:
    """A training size as the grid gives it: `1 %`, `all`, `without vgg`, `marked train`, HELP's; empty for a count."""
    budget = size.budget
    if budget.references:
        return "HELP's references first"
    names = {Kind.WHOLE: "all", Kind.MARKED: "marked train", Kind.FAMILY: f"without {budget.amount}", Kind.COUNT: ""}
    return percent(budget.amount) if budget.kind is Kind.FRACTION else names[budget.kind]


def labels(size: Size) -> str:
    """The label budget: `156`, `125 + 31 val` with labels held back, `10 + 8,100 source` with other devices' labels.

    `372 to 1,032` where a device or a seed has fewer, `900, faulty` where labels marked as faulty are among them.
    """
    low, high = size.n_val
    text = f"{size.n_train:,}" if size.fewest is None else f"{size.fewest:,} to {size.n_train:,}"
    if high:
        text += f" + {low if low == high else f'{low}–{high}'} val"
    text += f" + {size.n_source:,} source" if size.n_source else ""
    return f"{text}, faulty" if size.budget.faulty else text


def size_header(size: Size) -> str:
    """Column title: the size and its label budget."""
    return "<br>".join(filter(None, (size_name(size), f"{labels(size)} labels")))


def compact(value: float | None, digits: int = 3) -> str:
    """A count or a duration in a few significant digits, with thousands as k and millions as M."""
    if value is None:
        return MISSING
    scale, unit = next(((s, u) for s, u in ((1e6, "M"), (1e3, "k")) if abs(value) >= s), (1.0, ""))
    text = f"{value / scale:.{digits}g}"
    return (f"{float(text):.0f}" if "e+" in text else text) + unit


def joined(items: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def seed_counts(table: Table) -> str:
    """How many seeds a table's numbers are of: `one seed`, `5 seeds (12: flan)`, `3 seeds (3 to 5: graf)`."""
    words = {}
    for predictor in table.predictors:
        places = [([size], [device]) for size in table.sizes for device in table.devices]  # it may lack some
        counts = sorted({len(seeds) for place in places if (seeds := table.seeds_of(predictor, *place))})
        words[predictor] = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    usual = max(dict.fromkeys(words.values()), key=list(words.values()).count)
    others = dict.fromkeys(word for word in words.values() if word != usual)
    parts = [f"{word}: {joined([f'`{p}`' for p in table.predictors if words[p] == word])}" for word in others]
    text = "one seed" if usual == "1" else f"{usual} seeds"
    return f"{text} ({'; '.join(parts)})" if parts else text


def span(seeds: list[int]) -> str:
    """Seeds, runs of them as a range: `0–2`, `0, 2`."""
    seeds = sorted(seeds)
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))


def title(table: Table) -> str:
    """Heading of a table's section."""
    trained = "" if table.protocol == "direct" else f", {table.protocol} protocol"
    return f"{table.dataset}: {table.scored_on}{trained}"


def anchor(heading: str) -> str:
    """The link target GitHub makes of a heading."""
    letters = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return letters.replace(" ", "-")
