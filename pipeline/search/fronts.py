"""Ways to choose what to query next where the front of accuracy against cost is looked for."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from pipeline.score.fronts import non_dominated
from pipeline.search.methods import BEST, POPULATION, ByPredictor, History, Searcher

AUGMENTED = 0.05  # weight of the sum beside the maximum, as in ParEGO


def ranks(accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """How many fronts have to be taken off before a network is on one, (n,): fast non-dominated sorting's ranks."""
    found, left = np.zeros(len(accuracy), int), np.arange(len(accuracy))
    while len(left):
        on = non_dominated(accuracy[left], cost[left])
        left = left[~on]
        found[left] += 1
    return found


def crowding(accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Crowding distances (n,) of the networks of one front (Deb et al. 2002, section III-B): infinite at its ends."""
    found = np.zeros(len(accuracy))
    for values in (accuracy, cost):
        order = np.argsort(values, kind="stable")
        sorted_values = values[order]
        low, high = sorted_values[[0, -1]]
        found[order[[0, -1]]] = np.inf
        if low < high < np.inf:
            found[order[1:-1]] += (sorted_values[2:] - sorted_values[:-2]) / (high - low)
    return found


def best_first(accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Places (n,) in the order of NSGA-II's selection: lower rank first, then the less crowded, then the earlier."""
    rank, spread = ranks(accuracy, cost), np.empty(len(accuracy))
    for front in range(rank.max() + 1):
        on = rank == front
        spread[on] = crowding(accuracy[on], cost[on])
    return np.lexsort((-spread, rank))


class FrontEvolution(Searcher):
    """NSGA-II's selection (Deb et al., IEEE Transactions on Evolutionary Computation 2002) in steps of one network.

    The population is the first POPULATION of all networks queried, by rank and crowding distance; a parent wins a
    tournament of two by the same order, and its child is a local change. It departs in that there is no crossover and a
    generation has one child. A child that was queried before is made again.
    """

    def propose(self, history: History, n: int) -> np.ndarray:
        alive = history.networks[best_first(history.accuracies, history.costs)[:POPULATION]]
        queried = set(history.networks.tolist())
        for _ in range(100):
            parent = alive[self.random.choice(len(alive), min(2, len(alive)), replace=False).min()]
            child = self.random.choice(self.networks.neighbours(int(parent)))
            if int(child) not in queried:
                return np.array([child])
        return self.at_random(history, 1)


class FrontByPredictor(ByPredictor):
    """Two predictors of one kind learn the accuracies and the costs seen, and proposals aim at the front of both.

    Each proposal has a weight of its own, drawn evenly, and is the candidate with the least augmented Tchebycheff sum
    of what is predicted of it (ParEGO: Knowles, IEEE Transactions on Evolutionary Computation 2006). It departs in that
    the labels are learned apart and not the sum of them; in that the prediction counts (or a draw by an ensemble's mean
    and spread), not the improvement to expect; and in the scale: a label's ranks among the candidates, from 0 to 1.
    Where others change the best networks, the first by NSGA-II's order are changed.
    """

    def propose(self, history: History, n: int) -> np.ndarray:
        pool = self._candidates(history, n)
        accuracy = self._acquisition(self._fit(history), pool)
        cost = self._acquisition(self._fit(history, "cost"), pool)
        lacks = np.stack([rankdata(-accuracy), rankdata(cost)], 1) / len(pool)
        picked: list[int] = []
        for weight in self.random.random(n):
            terms = lacks * [weight, 1 - weight]
            total = terms.max(1) + AUGMENTED * terms.sum(1)
            total[picked] = np.inf
            least = np.flatnonzero(total == total.min())
            picked.append(int(self.random.choice(least)))
        return pool[picked]

    def _changed(self, history: History) -> np.ndarray:
        return history.networks[best_first(history.accuracies, history.costs)[:BEST]]
