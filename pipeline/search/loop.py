"""The loop that every method runs in: ask, answer, note down."""

from __future__ import annotations

import time
import traceback
import zlib
from dataclasses import dataclass

import numpy as np

from pipeline.config.search_grid import Method, SearchGrid
from pipeline.core.errors import BenchError, one_line
from pipeline.score import metrics, top_heavy
from pipeline.search.kinds import searcher
from pipeline.search.methods import History, Searcher
from pipeline.search.space import Labels, Networks

MEASURED_ON = 2000  # networks on which predictors are scored, drawn by the seed
MEASURES = {
    "kendall_tau": metrics.kendall_tau,
    "tau_of_best": top_heavy.tau_of_best,
    "best_rank": top_heavy.best_rank,
    "precision": top_heavy.precision,
}


@dataclass(frozen=True)
class Trace:
    """One search: networks in the order of their queries, the CPU-seconds spent before each, and which were picked at
    random because the predictor had failed. `measures`: of (budget, name), a number; none where a front is looked for.
    `failures`: what was said."""

    networks: list[int]
    cpu_s: list[float]
    failed: list[bool]
    measures: dict[tuple[int, str], float]
    failures: list[str]


def run(grid: SearchGrid, method: Method, networks: Networks, labels: Labels, seed: int) -> Trace:
    """Search to the largest budget. A method that fails goes on with random picks, and the trace says so.

    Raises BenchError: more queries than networks, or a space without known local changes.
    """
    if grid.budgets[-1] > len(networks):
        raise BenchError(f"{grid.path}: {grid.budgets[-1]} queries of {len(networks)} networks; lower the budgets")
    shared = np.random.default_rng(seed)
    start = shared.choice(len(networks), grid.start, replace=False)
    allowed = np.flatnonzero(labels.allowed)
    measured_on = shared.choice(allowed, min(MEASURED_ON, len(allowed)), replace=False)
    random = np.random.default_rng([seed, zlib.crc32(method.name.encode())])
    who = searcher(method, networks, random, grid.sample, labels.front)
    trace = Trace(start.tolist(), [0.0] * grid.start, [False] * grid.start, {}, [])
    while True:
        history = History.of(trace.networks, labels)
        if len(trace.networks) in grid.budgets and not labels.front:
            _measure(who, history, measured_on, labels, trace)
        if len(trace.networks) == grid.budgets[-1]:
            return trace
        _step(who, history, 1 if who.one_by_one else grid.batch(len(trace.networks)), trace)


def _step(who: Searcher, history: History, n: int, trace: Trace) -> None:
    """One round: the networks that are queried next are added to the trace."""
    began, failed = time.process_time(), False
    try:
        picked = _checked(who.propose(history, n), history, n)
    except BenchError:
        raise
    except Exception as error:
        traceback.print_exc()
        failed, picked = True, who.at_random(history, n)
        trace.failures.append(_said(error, history, "random picks"))
    spent = trace.cpu_s[-1] + time.process_time() - began
    trace.networks.extend(picked.tolist())
    trace.cpu_s.extend([spent] * n)
    trace.failed.extend([failed] * n)


def _said(error: Exception, history: History, instead: str) -> str:
    return f"after {len(history.values)} queries, {instead}: {type(error).__name__}: {one_line(error)}"


def _checked(picked: np.ndarray, history: History, n: int) -> np.ndarray:
    if len(picked) != n or len(np.unique(picked)) != n or np.isin(picked, history.networks).any():
        raise ValueError(f"{len(picked)} proposals are not {n} different networks that were not queried")
    return picked


def _measure(who: Searcher, history: History, which: np.ndarray, labels: Labels, trace: Trace) -> None:
    """How well the method ranks, by what networks are judged by, after so many labels."""
    try:
        predicted = who.predict(history, which)
    except Exception as error:
        traceback.print_exc()
        trace.failures.append(_said(error, history, "not measured"))
        return
    if predicted is not None:
        for name, measure in MEASURES.items():
            value = measure(predicted, labels.report[which])
            if value is not None:
                trace.measures[len(history.values), name] = float(value)
