"""What a run will do and cost, and who may run.

In: code, grids, committed scores. Out: code keys, the run lock, an estimate. May import core, config and score.
"""
