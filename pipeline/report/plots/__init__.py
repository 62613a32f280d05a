"""The figures of a board, one kind a module; `draw` decides which a board has.

In: score tables, predictions, attention. Out: pictures with their data. May import what pipeline.report may.
"""
