"""Intervals of costs that grow with a network's distance from training: what networks that were held out were off by,
and networks of lineages that a predictor had none of.

An interval is a prediction divided and multiplied by e^h, h = max(q, b g(d)): d is the distance to the nearest training
network, and g grows with it up to 1 at the distance that half of the networks of lineages left out lie within; what is
further away is as far off as these are. The slope b is the quantile, at the level asked for, of error / g over those
networks, each lineage weighing the same: an interval of b g alone would hold `level` of them. The least width q is
split-conformal (Vovk et al. 2005; Lei et al., JASA 2018, section 2) on the errors of held-out networks, those within
their b g counting as none, so that what is promised for networks drawn as they were stays, whatever b is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.core.errors import BenchError
from pipeline.predict.prediction import GRADES

MAX_ERROR = 700  # whose exponential is a number still
NEAREST = 0.01  # distances below count as this
OFF_BY = 0.25  # an error that is worth a warning, and how often it comes:
SOMEWHAT, LIKELY = 0.1, 1 / 3


def errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """|log(true / predicted)|, (m,): relative errors as factors, alike up and down.

    All true costs are above zero. A prediction that is not is off by no finite factor: infinity.
    """
    positive = predicted > 0
    return np.where(positive, np.abs(np.log(true / np.where(positive, predicted, 1))), np.inf)


def quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The least of the values (m,) that `level` of all weight (m,) is not above."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(np.searchsorted(share, level - 1e-9), len(values) - 1)])


@dataclass(frozen=True)
class Pairs:
    """Of m networks: `distance` to the nearest training network, `error` (see `errors`), and what each weighs, (m,)."""

    distance: np.ndarray
    error: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, distance: np.ndarray, error: np.ndarray) -> Pairs:
        """Networks that together weigh 1."""
        return cls(distance, error, np.full(len(error), 1 / max(len(error), 1)))

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """Those of all parts."""
        keys = ("distance", "error", "weight")
        return cls(*(np.concatenate([np.empty(0), *(getattr(part, key) for part in parts)]) for key in keys))

    @classmethod
    def checked(cls, table: np.ndarray) -> Pairs:
        """From a file's columns, (3, m). Raises ValueError unless they are distances, errors and weights."""
        if table.ndim != 2 or len(table) != 3 or table.dtype.kind != "f":
            raise ValueError("the errors by distance are no three rows of numbers")
        distance, error, weight = table.astype(np.float64)
        if not (np.isfinite(distance).all() and np.isfinite(weight).all()) or np.isnan(error).any():
            raise ValueError("an error, distance or weight is not finite")
        if (distance < 0).any() or (error < 0).any() or (weight <= 0).any() or (weight > 1).any():
            raise ValueError("an error, distance or weight is out of bounds")
        return cls(distance, error, weight)

    @property
    def table(self) -> np.ndarray:
        """(3, m), as `checked` takes it."""
        return np.stack([self.distance, self.error, self.weight])

    def __len__(self) -> int:
        return len(self.error)


@dataclass(frozen=True)
class Errors:
    """What a predictor was off by: networks held out, and networks of lineages left out (maybe none), a lineage
    weighing 1 in all."""

    held_out: Pairs
    left_out: Pairs

    @cached_property
    def reach(self) -> float:
        """The distance from which on errors grow no more; 1 where no lineage was left out."""
        distance, weight = self.left_out.distance, self.left_out.weight
        return max(quantile(distance, weight, 0.5), NEAREST) if len(weight) else 1.0

    def growth(self, distance: np.ndarray | float) -> np.ndarray:
        """g of the module's text: what errors at distances (k,) grow with, above 0 and at most 1."""
        return np.clip(distance, NEAREST, self.reach) / self.reach

    @cached_property
    def rates(self) -> np.ndarray:
        """Errors of the left-out networks over their g, (m,)."""
        return self.left_out.error / self.growth(self.left_out.distance)

    def slope(self, level: float) -> float:
        """b of the module's text; 0 where no lineage was left out, which makes all intervals equally wide."""
        return quantile(self.rates, self.left_out.weight, level) if len(self.rates) else 0.0

    def half_widths(self, distance: np.ndarray | float, level: float) -> np.ndarray:
        """h of networks at distances (k,), in logarithms. The interval holds the truth with probability `level` at
        least: that of a network drawn as the held-out ones were, on average over such draws.

        Raises:
            BenchError: `level` is no probability, or too high for so few held-out networks.
        """
        if not 0 < level < 1:
            raise BenchError(f"level {level:g}: give a probability between 0 and 1, such as 0.9")
        m = len(self.held_out)
        rank = math.ceil((m + 1) * level - 1e-9)
        if rank > m:
            raise BenchError(
                f"level {level:g}: {m} held-out networks allow {m / (m + 1):.3f} at most; give a lower level"
            )
        slope = self.slope(level)
        if not slope < MAX_ERROR:
            raise BenchError(
                f"level {level:g}: too many left-out networks were predicted at 0 or below; give a lower one"
            )
        error = self.held_out.error
        beyond = np.where(error > slope * self.growth(self.held_out.distance), error, 0)
        widths = np.maximum(np.sort(beyond)[rank - 1], slope * self.growth(distance))
        if not np.max(widths) < MAX_ERROR:
            raise BenchError(
                f"level {level:g}: too many held-out networks were predicted at 0 or below; give a lower one"
            )
        return widths

    def error_at(self, distance: float, share: float) -> float:
        """The error that `share` of left-out networks at a distance stay below, as a part of the smaller one."""
        return math.expm1(min(self.slope(share) * float(self.growth(distance)), MAX_ERROR))

    def chance(self, distance: np.ndarray | float) -> np.ndarray:
        """The share of left-out networks at distances (k,) that are off by more than OFF_BY, (k,)."""
        weight = self.left_out.weight
        least = math.log1p(OFF_BY) / np.atleast_1d(self.growth(distance))
        return (weight * (self.rates > least[:, None])).sum(1) / weight.sum()

    def grade(self, distance: float) -> str:
        """One of GRADES. Without left-out networks, far off is what lies further than all held-out ones."""
        if not len(self.left_out):
            return GRADES[0] if distance <= self.held_out.distance.max() else GRADES[2]
        chance = self.chance(distance)[0]
        return GRADES[int(chance > SOMEWHAT) + int(chance > LIKELY)]
