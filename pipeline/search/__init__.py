"""Search with few queries: which network is best, asking for the labels of some.

In: tables of a data set, a search grid. Out: one file of traces a data set and method. May import core, config, spaces,
predictors and score.
"""
