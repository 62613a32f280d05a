"""Who is trained on and who is scored.

In: the graphs table, a seed. Out: splits, and the training set of a cell. May import core and config.
"""
