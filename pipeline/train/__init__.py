"""One cell of a grid: fit on the training set, predict every graph.

In: a CellSpec, tables, a split. Out: one predictions file. Only this step and search see labels and predictors
together. May import core, config, split and predictors.
"""
