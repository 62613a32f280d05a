"""Predictors of neural-architecture accuracy and latency: one file each, class ``Predictor``.

In: Graphs and the labels to learn from. Out: one number a graph. May import core.
"""
