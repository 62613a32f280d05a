"""Ways to choose what to query next. Each sees networks and what was queried so far, no other label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import erfcx, log_ndtr

from pipeline.config.search_grid import Method
from pipeline.core.graphs import Graphs
from pipeline.search.space import Labels, Networks
from predictors.kit.ensemble import Ensemble, make

POPULATION, TOURNAMENT = 50, 10
NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal
TINY = 1e-6
BEST = 10  # networks whose local changes are candidates


@dataclass(frozen=True)
class History:
    """What was queried, in order: networks (m,) and what they are chosen by (m,).

    Where costs have a `limit`: the accuracies (m,) and costs (m,) that were answered.
    """

    networks: np.ndarray
    values: np.ndarray
    accuracies: np.ndarray | None = None
    costs: np.ndarray | None = None
    limit: float = np.inf

    @classmethod
    def of(cls, networks: list[int], labels: Labels) -> History:
        """What a search knows that queried these networks."""
        costs = None if labels.cost is None else labels.cost[networks]
        return cls(np.array(networks), labels.value[networks], labels.query[networks], costs, labels.limit)

    def unqueried(self, n: int) -> np.ndarray:
        """The other networks of n, rising."""
        return np.setdiff1d(np.arange(n), self.networks)

    def best(self, k: int) -> np.ndarray:
        """The k networks with the best labels, best first; of equal ones the first queried."""
        return self.networks[np.argsort(-self.values, kind="stable")[:k]]


class Searcher(ABC):
    """Proposes networks that were not queried yet. `one_by_one`: sees each label before it chooses again."""

    one_by_one = True

    def __init__(self, networks: Networks, random: np.random.Generator) -> None:
        self.networks, self.random = networks, random

    @abstractmethod
    def propose(self, history: History, n: int) -> np.ndarray:
        """n networks (n,) to query next, none of them queried, none twice."""

    def predict(self, history: History, which: np.ndarray) -> np.ndarray | None:
        """What the method thinks of the networks `which`; None where it thinks nothing."""
        return None

    def at_random(self, history: History, n: int) -> np.ndarray:
        """n networks not queried, each as likely."""
        return self.random.choice(history.unqueried(len(self.networks)), n, replace=False)


class RandomSearch(Searcher):
    """Any network, each as likely."""

    def propose(self, history: History, n: int) -> np.ndarray:
        return self.at_random(history, n)


class Evolution(Searcher):
    """Regularised evolution (Real et al., AAAI 2019): the best of a random sample of the youngest networks is changed.

    The population is the POPULATION networks queried last, so the oldest dies, however good. A child that was queried
    before is made again, as a table would give the same label.
    """

    def propose(self, history: History, n: int) -> np.ndarray:
        alive = History(history.networks[-POPULATION:], history.values[-POPULATION:])
        queried = set(history.networks.tolist())
        for _ in range(100):
            drawn = self.random.choice(len(alive.values), min(TOURNAMENT, len(alive.values)), replace=False)
            parent = History(alive.networks[drawn], alive.values[drawn]).best(1)[0]
            child = self.random.choice(self.networks.neighbours(int(parent)))
            if int(child) not in queried:
                return np.array([child])
        return self.at_random(history, 1)


class LocalSearch(Searcher):
    """Local search (White et al., UAI 2021): all local changes of a network are queried, then the best is gone to.

    It starts at the best of the random networks. Where no change is better, it starts again at a random network.
    """

    def __init__(self, networks: Networks, random: np.random.Generator) -> None:
        super().__init__(networks, random)
        self.current: int | None = None
        self.fresh = False  # the last query is a new start

    def propose(self, history: History, n: int) -> np.ndarray:
        value = dict(zip(history.networks.tolist(), history.values.tolist(), strict=True))
        if self.fresh or self.current is None:
            self.current = int(history.networks[-1] if self.fresh else history.best(1)[0])
            self.fresh = False
        while True:
            around = self.networks.neighbours(self.current)
            waiting = [network for network in around.tolist() if network not in value]
            if waiting:
                return self.random.choice(waiting, 1)
            best = max(around.tolist(), key=value.__getitem__, default=self.current)
            if value[best] <= value[self.current]:
                self.fresh = True
                return self.at_random(history, 1)
            self.current = best


class ByPredictor(Searcher):
    """A predictor is fitted on what was queried, and the candidates that it likes best are queried.

    `candidates`: all networks; a sample and the local changes of the BEST queried; or these alone, as BANANAS does
    (White et al., AAAI 2021), with a sample where they run out. `acquisition`: the prediction, or for ensembles
    independent Thompson sampling (the same paper): a normal draw by mean and spread of the members.

    Where costs have a limit a second one of the same kind learns the costs seen, and candidates are queried by the
    improvement to expect times the chance to stay within the limit (Gardner et al., ICML 2014, section 3). Both are
    taken to err as what they said of earlier proposals did: a normal by the errors' median and median absolute
    deviation, those of costs in logarithms. Before any, candidates expected above the limit come last.
    """

    one_by_one = False

    def __init__(self, networks: Networks, random: np.random.Generator, method: Method, sample: int) -> None:
        super().__init__(networks, random)
        self.method, self.sample = method, sample
        self.fitted: dict[str, tuple[int, object]] = {}  # by task: number of labels, predictor
        self.said: dict[int, tuple[float, float]] = {}  # of networks proposed under a limit: accuracy, log of the cost

    def propose(self, history: History, n: int) -> np.ndarray:
        pool = self._candidates(history, n)
        score = accuracy = self._acquisition(self._fit(history), pool)
        if history.costs is not None:
            cost = np.log(np.maximum(self._answers(self._fit(history, "cost"), pool)[0], TINY))
            score = self._within(history, accuracy, cost)
        best = np.lexsort((self.random.random(len(pool)), -score))[:n]  # equal scores in random order
        if history.costs is not None:
            self.said |= dict(zip(pool[best].tolist(), zip(accuracy[best], cost[best], strict=True), strict=True))
        return pool[best]

    def _within(self, history: History, accuracy: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """The logarithm of the improvement to expect within the limit, (m,), of predicted accuracies and log costs."""
        limit = np.log(history.limit)
        proposed = np.array([network in self.said for network in history.networks.tolist()])
        known = proposed & np.isfinite(history.costs)
        if not known.any():
            return np.where(cost > limit, -1e6 * np.exp(cost - limit), accuracy)
        said = np.array([self.said[network] for network in history.networks[known].tolist()])
        errors = np.stack([history.accuracies[known], np.log(history.costs[known])], 1) - said
        shift = np.median(errors, 0)
        spread = np.maximum(np.median(np.abs(errors - shift), 0) / NORMAL_MEDIAN, TINY)
        chance = log_ndtr((limit - cost - shift[1]) / spread[1])
        allowed = history.accuracies[history.costs <= history.limit]
        return chance + log_improvement((accuracy + shift[0] - allowed.max()) / spread[0]) if len(allowed) else chance

    def predict(self, history: History, which: np.ndarray) -> np.ndarray:
        return self._answers(self._fit(history), which)[0]

    def _fit(self, history: History, task: str = "accuracy"):
        """The predictor that learned from the history; one that learned from as many labels is kept."""
        n, last = self.fitted.get(task, (0, None))
        if n != len(history.values):
            predictor = self._fresh(task) if last is None or not self.method.warm_steps else self._warm(task, last)
            accuracies = history.values if history.accuracies is None else history.accuracies
            labels = history.costs if task == "cost" else accuracies
            known = np.isfinite(labels)
            graphs = self.networks.graphs[torch.from_numpy(history.networks[known])]
            predictor.fit(graphs, torch.from_numpy(labels[known]))
            self.fitted[task] = len(history.values), predictor
        return self.fitted[task][1]

    def _fresh(self, task: str, **settings):
        settings = {**self.method.settings, **settings}
        return make(self.method.predictor, settings, task, int(self.random.integers(2**31)))

    def _warm(self, task: str, last):
        """One that starts from the weights of the `last`, without pre-training and warm-up steps of its own."""
        predictor = self._fresh(task, steps=self.method.warm_steps, first_steps=0, pretrain_steps=0)

        def begin(module: torch.nn.Module, graphs: Graphs) -> torch.nn.Module:
            module.load_state_dict(last.tensors)
            return module

        predictor.begin = begin
        return predictor

    def _answers(self, predictor, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (m,) of what the members of an ensemble say; of one predictor, its answer and zeros."""
        graphs = self.networks.graphs[torch.from_numpy(which)]
        members = predictor.members if isinstance(predictor, Ensemble) else [predictor]
        answers = np.stack([member.predict(graphs).double().numpy() for member in members])
        if answers.shape[1:] != which.shape or not np.isfinite(answers).all():
            raise ValueError(f"{self.method.predictor} did not give a finite number for each of {len(which)} networks")
        return answers.mean(0), answers.std(0)

    def _acquisition(self, predictor, pool: np.ndarray) -> np.ndarray:
        mean, spread = self._answers(predictor, pool)
        return self.random.normal(mean, spread) if self.method.acquisition == "thompson" else mean

    def _candidates(self, history: History, n: int) -> np.ndarray:
        free = history.unqueried(len(self.networks))
        if self.method.candidates == "all":
            return free
        around = np.concatenate([self.networks.neighbours(int(network)) for network in self._changed(history)])
        pool = np.intersect1d(around, free)
        if self.method.candidates == "local" and len(pool) >= n:
            return pool
        return np.union1d(pool, self.random.choice(free, min(self.sample, len(free)), replace=False))

    def _changed(self, history: History) -> np.ndarray:
        """Networks queried whose local changes are candidates."""
        return history.best(BEST)


def log_improvement(z: np.ndarray) -> np.ndarray:
    """The logarithm of E max(z + e, 0), e standard normal: of the improvement to expect, in units of the spread.

    Below -10,000 it is as at -10,000, where rounding sets in, and above 30 the logarithm of z.
    """
    low = np.clip(z, -1e4, 30.0)
    mills = np.sqrt(np.pi / 2) * erfcx(-low / np.sqrt(2))  # Phi / phi
    return -0.5 * low**2 - 0.5 * np.log(2 * np.pi) + np.log1p(low * mills) + np.log(np.maximum(z / 30.0, 1.0))
