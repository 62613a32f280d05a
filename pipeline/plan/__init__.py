"""What a run will do and cost, who may run, and which scores still hold.

In: code, grids, committed scores. Out: code keys, the run lock, an estimate, merged scores. May import core, config and
score.
"""
