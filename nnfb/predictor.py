"""What a predictor in a package of its own is made of: docs/adding_a_predictor.md."""

from pipeline.core.graphs import Graphs as Graphs
from predictors.base import BasePredictor as BasePredictor
from predictors.base import Diverged as Diverged
from predictors.base import Unsupported as Unsupported
