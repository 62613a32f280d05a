"""Which searcher a method of a grid is, where one network is chosen and where a front is looked for."""

from __future__ import annotations

import numpy as np

from pipeline.config.search_grid import Method
from pipeline.search.fronts import FrontByPredictor, FrontEvolution
from pipeline.search.methods import ByPredictor, Evolution, LocalSearch, RandomSearch, Searcher
from pipeline.search.space import Networks

ONE = {"random": RandomSearch, "evolution": Evolution, "local_search": LocalSearch}
FRONT = {"random": RandomSearch, "evolution": FrontEvolution}


def searcher(method: Method, networks: Networks, random: np.random.Generator, sample: int, front: bool) -> Searcher:
    """The searcher of a method of a grid; it looks for a `front` or for one network."""
    if method.by == "predictor":
        return (FrontByPredictor if front else ByPredictor)(networks, random, method, sample)
    return (FRONT if front else ONE)[method.by](networks, random)
