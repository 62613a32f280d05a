"""How well the labels of a section agree with themselves, in words."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.report.format import code, plain
from pipeline.score.label_noise import ADDITIVE, BUSY, FAULTY, REPEATS, RERUN, SECOND, Noise, doubtful
from pipeline.score.tables import Table


def noise_lines(table: Table, noise: list[Noise]) -> list[str]:
    """The noise of a table's labels: measured with the scores, or as recorded in the config; [] where unknown."""
    of_table = [n for n in noise if (n.dataset, n.scored_on) == (table.dataset, table.scored_on)]
    of_table = [n for n in of_table if n.device in table.devices]
    parts = [_two_labels(n) for n in of_table if n.kind != REPEATS and n.kind == table.target]
    if len(table.devices) == 1:
        parts += [_repeats(n, "timed" if table.is_cost else "trained") for n in of_table if n.kind == REPEATS][:1]
    parts += [_second(n, len(table.devices) > 1) for n in of_table if n.kind == SECOND]
    parts += [_rerun(n, table) for n in of_table if n.kind == RERUN and n.device in table.about.reruns]
    parts += _recorded(table, any(n.kind not in (ADDITIVE, FAULTY) for n in of_table))
    what = "Noise floor" if table.is_cost else "Noise ceiling"
    lines = ["", f"{what}, how well labels agree with themselves: {'; '.join(parts)}."] if parts else []
    few = [n for n in of_table if n.kind == BUSY and n not in doubtful(of_table)]
    lines += [f"On {code(n.device)}, {_busy(n)}." for n in few]
    return lines + _faulty([n for n in of_table if n.kind == FAULTY])


def doubts(noise: Sequence[Noise]) -> list[str]:
    """A sentence for each device whose labels are in doubt; boards open with them."""
    found = doubtful(noise)
    places = {(n.dataset, n.scored_on, n.device): None for n in found}
    lines = []
    for place in places:
        kinds = {n.kind: n for n in found if (n.dataset, n.scored_on, n.device) == place}
        parts = []
        if SECOND in kinds:
            apart = f"{kinds[SECOND].values['mape']:.1f} % apart when measured again"
            parts.append(f"labels are {apart}, so that no error below that can be told from the machine's own")
        if BUSY in kinds:
            parts.append(_busy(kinds[BUSY]))
        dataset, scored_on, device = place
        lines.append(
            f"Labels in doubt: of {code(scored_on)} of {code(dataset)} on {code(device)}, {'; '.join(parts)}. "
            "Time again on a quiet machine."
        )
    return lines


def _busy(n: Noise) -> str:
    were = f"label ({n.values['share']:.1f} %) was" if n.n == 1 else f"labels ({n.values['share']:.1f} %) were"
    return f"{n.n:,} {were} timed beside other work and never twice alike"


def _faulty(counts: list[Noise]) -> list[str]:
    """How many labels of which device are left out."""
    parts = ", ".join(f"{n.n:,} of `{n.device}` ({n.values['share']:.2f} %)" for n in counts)
    told = "are left out of training and scores, but for budgets that end in `-faulty`"
    return (
        ["", f"Labels that cannot be ([rule](../../docs/data_cards.md#faulty-labels)): {parts}; they {told}."]
        if parts
        else []
    )


def _two_labels(n: Noise) -> str:
    tau = n.values["kendall_tau"]
    return f"{code(n.kind)} and {code(n.scored_on)} of the same {n.n:,} networks agree to τ {tau:.3f}"


def _repeats(n: Noise, how: str) -> str:
    return f"{n.n:,} networks {how} twice (isomorphic cells) agree to τ {n.values['kendall_tau']:.3f}{_errors(n)}"


def _second(n: Noise, several_devices: bool) -> str:
    where = f" on {code(n.device)}" if several_devices else ""
    return f"{n.n:,} networks measured again{where} agree to τ {n.values['kendall_tau']:.3f}{_errors(n)}"


def _rerun(n: Noise, table: Table) -> str:
    other, tau = code(table.about.reruns[n.device]), n.values["kendall_tau"]
    return (
        f"{n.n:,} networks on {code(n.device)} and on {other}, scaled by one factor, agree to τ {tau:.3f}{_errors(n)}"
    )


def _errors(n: Noise) -> str:
    return f", MAPE {n.values['mape']:.2f} %, Acc(10 %) {n.values['acc10']:.1f} %" if "mape" in n.values else ""


def _recorded(table: Table, measured: bool) -> list[str]:
    """What config/datasets.yaml records; of labels of one data set only where nothing was measured."""
    recorded = [c for c in table.about.ceilings if c.other_dataset or not measured]
    return [
        f"{plain(c.labels[0])} and {plain(' '.join(filter(None, (c.other_dataset, c.labels[1]))))} agree to τ "
        f"{c.kendall_tau:.3f} (recorded in config/datasets.yaml)"
        for c in recorded
        if table.scored_on in c.labels or table.target in c.labels
    ]
