"""The words of a grid for what a cell is trained on. Light to import: a grid is read each time the workflow starts.

The `train` word of a cell is one of

- ``0.05``: that fraction of the data set, the first graphs of the split's pool;
- ``n900``: that many labels, the first graphs of the pool that have one;
- ``stage``: the labels the source marks as train; its test marks are held out;
- ``without-<family>``: every label of the other families; the named one is held out.

With `sources` the labels of other devices are added, the cell's own device stays the one predicted, and the word ends
in ``-from-<hash of the sources>``.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Sources:
    """Devices whose labels are there before the cell's own: the first `labels` of each pool, or all with None.

    A cell's own device is passed over, so that cells on several devices can share their sources.
    """

    devices: tuple[str, ...]
    labels: int | None

    @classmethod
    def parse(cls, text: str) -> Sources | None:
        """From the JSON of `text`; None for {}."""
        raw = json.loads(text)
        return cls(tuple(raw["devices"]), raw["labels"]) if raw else None

    def dump(self) -> str:
        """JSON that `parse` reads."""
        return json.dumps({"devices": self.devices, "labels": self.labels})

    def others(self, device: str) -> tuple[str, ...]:
        """The devices besides `device`."""
        return tuple(name for name in self.devices if name != device)

    @property
    def suffix(self) -> str:
        """What the `train` word of a cell with these sources ends in."""
        return f"-from-{hashlib.blake2b(self.dump().encode(), digest_size=4).hexdigest()}"


def n_labels(train: str, n_graphs: int) -> int | None:
    """Number of labels of a word: n900 -> 900, 0.005 of N -> floor(0.005 N + 0.5), None where the data decide."""
    word = train.partition("-from-")[0]
    if word == "stage" or word.startswith("without-"):
        return None
    if word.startswith("n"):
        return int(word[1:])
    return math.floor(Decimal(word) * n_graphs + Decimal("0.5"))
