"""What people write and what it means: grids, data sets, label budgets.

In: config/*.yaml. Out: checked dataclasses: Grid, CellSpec, Budget, Dataset. May import core; no torch, no tables: the
workflow reads a grid each time it starts.
"""
