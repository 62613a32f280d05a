"""Converters, one module per data set: source files -> canonical Parquet, with checks of known facts.

Each module has `convert(raw, out)` and `sanity(graphs, targets)`.
"""
