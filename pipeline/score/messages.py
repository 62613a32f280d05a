"""Why cells have no number, in their own words: from the predictions into the metadata of the scores, and back."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.cell_spec import CellSpec
from pipeline.core import io

Key = tuple[str, str, str, str, str, int]  # data set, target, device, label, budget, seed
Messages = dict[Key, str]


def of_cells(cells: Iterable[CellSpec]) -> Messages:
    """The messages of the cells that did not end well."""
    found = {key(cell): io.read_meta(cell.path) for cell in cells}
    return {key: meta.get("message") or "" for key, meta in found.items() if meta.get("status") != "ok"}


def dump(messages: Messages) -> list[list]:
    """As JSON values, for `parse`."""
    return [[*key, message] for key, message in messages.items()]


def parse(raw: list[list] | None) -> Messages:
    """From the metadata of a table of scores; none where it has none. Raises TypeError or ValueError: it is no such."""
    for *names, seed, message in raw or []:
        if len(names) != 5 or type(seed) is not int or not all(isinstance(word, str) for word in (*names, message)):
            raise TypeError("a message is not one of a cell")
    return {tuple(key): message for *key, message in raw or []}


def key(cell: CellSpec) -> Key:
    """What names a cell here."""
    return cell.dataset, cell.target, cell.device, cell.label, str(cell.budget), cell.seed
