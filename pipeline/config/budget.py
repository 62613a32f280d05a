"""The label budget of a cell: how many labels it is trained on, and whose.

A budget is written as one word, in grids, paths, scores and on boards:

- ``0.05``: that fraction of the data set, the first networks of the split's pool;
- ``n900``: that many labels, the first networks of the pool that have one; ``n0``: none but those of other devices;
- ``all``: every label of the pool;
- ``stage``: the labels that the source marks as train; those it marks as test are held out;
- ``without-<family>``: every label of the other families; the named one is held out.

Behind a number, ``-help`` puts the networks first that HELP measures on every device (`pipeline.config.references`).
Behind the first three, ``-val<k>`` adds the next k labels of the pool for validation, and ``-from-<hash>`` the labels
of other devices that `Sources` name. ``-faulty`` at the end takes in labels that are marked as faulty.

Light to import: a grid is read each time the workflow starts.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from pipeline.core.errors import BenchError

WORD = re.compile(
    r"(?:(?P<fraction>[0-9]+\.[0-9]+)|n(?P<count>[0-9]+)|(?P<whole>all)|(?P<marked>stage)|without-(?P<family>[a-z0-9_]+))"
    r"(?P<references>-help)?(?:-val(?P<n_val>[1-9][0-9]*))?(?:-from-(?P<sources>[0-9a-f]{8}))?(?P<faulty>-faulty)?"
)


class Kind(StrEnum):
    """What decides which labels a budget holds."""

    FRACTION = "fraction"
    COUNT = "count"
    WHOLE = "whole"
    MARKED = "marked"
    FAMILY = "family"


@dataclass(frozen=True)
class Sources:
    """Devices whose labels are there before the cell's own: the first `labels` of each pool, or all with None.

    A cell's own device is passed over, so that cells on several devices can share their sources.
    """

    devices: tuple[str, ...]
    labels: int | None

    @classmethod
    def parse(cls, text: str) -> Sources | None:
        """From the JSON of `dump`; None for {}."""
        raw = json.loads(text)
        return cls(tuple(raw["devices"]), raw["labels"]) if raw else None

    def dump(self) -> str:
        """JSON that `parse` reads."""
        return json.dumps({"devices": self.devices, "labels": self.labels})

    def besides(self, device: str) -> tuple[str, ...]:
        """These devices but `device`."""
        return tuple(name for name in self.devices if name != device)

    @property
    def hash(self) -> str:
        """Eight hex digits that change when any of it does."""
        return hashlib.blake2b(self.dump().encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class Budget:
    """A label budget. `amount` is the fraction, the count or the family held out, as written; else empty.

    `n_val` labels are for validation, beside those trained on. `sources` is `Sources.hash`, empty without any.
    `faulty`: labels marked as faulty are trained and scored on like the others. `references`: HELP's reference networks
    come first, in the pool of every device, and none of them is held out.
    """

    kind: Kind
    amount: str
    n_val: int = 0
    sources: str = ""
    faulty: bool = False
    references: bool = False

    @classmethod
    def parse(cls, word: str) -> Budget:
        """The budget of a word. Raises BenchError when it is none."""
        match = WORD.fullmatch(word)
        if not match:
            raise BenchError(
                f'{word!r} is no label budget; write a fraction such as "0.05", a number of labels such as n900, '
                "all, stage, or without-FAMILY"
            )
        parts = match.groupdict()
        kind = next(kind for kind in Kind if parts[kind] is not None)
        amount = "" if kind in (Kind.WHOLE, Kind.MARKED) else parts[kind]
        if kind is Kind.FRACTION and not 0 < Decimal(amount) <= 1:
            raise BenchError(f'fraction {word} is not above 0 and at most 1; write a part, such as "0.05"')
        marks = bool(parts["faulty"]), bool(parts["references"])
        budget = cls(kind, amount, int(parts["n_val"] or 0), parts["sources"] or "", *marks)
        if budget.references and (kind is not Kind.COUNT or budget.n_val):
            raise BenchError(f"{word!r}: -help goes with a number of labels alone, as in n10-help")
        if budget.n_val and not budget.is_drawn:
            raise BenchError(f"{word!r}: labels for validation go with a fraction, a number of labels or all only")
        return budget

    def __str__(self) -> str:
        validation = f"-val{self.n_val}" if self.n_val else ""
        sources = f"-from-{self.sources}" if self.sources else ""
        return f"{self.own_labels}{validation}{sources}{'-faulty' if self.faulty else ''}"

    @property
    def own_labels(self) -> str:
        """The word of the labels of the cell's own device that are trained on: `0.05`, `n900`, `without-vgg16`."""
        prefix = {Kind.COUNT: "n", Kind.FAMILY: "without-"}.get(self.kind, "")
        words = {Kind.WHOLE: "all", Kind.MARKED: "stage"}
        return words.get(self.kind, f"{prefix}{self.amount}{'-help' if self.references else ''}")

    @property
    def is_drawn(self) -> bool:
        """True where the labels are drawn at random, so that budgets of one data set lie on one axis."""
        return self.kind in (Kind.FRACTION, Kind.COUNT, Kind.WHOLE) and not self.references

    @property
    def family(self) -> str | None:
        """The family that is held out; None where none is."""
        return self.amount if self.kind is Kind.FAMILY else None

    def n_labels(self, n_graphs: int) -> int | None:
        """Labels trained on: 900 for n900, floor(0.005 N + 0.5) for 0.005 of N networks, None where the data decide."""
        if self.kind not in (Kind.FRACTION, Kind.COUNT):
            return None
        share = Decimal(self.amount) * (n_graphs if self.kind is Kind.FRACTION else 1)
        return math.floor(share + Decimal("0.5"))

    def with_sources(self, sources: Sources | None) -> Budget:
        """This budget beside labels of other devices."""
        return replace(self, sources=sources.hash if sources else "")
