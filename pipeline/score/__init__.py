"""Predictions and labels to numbers; no words.

In: predictions, tables, splits. Out: scores.parquet and the numbers that boards and metrics.json quote. May import
core, config, spaces and split.
"""
