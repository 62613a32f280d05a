"""Source files to canonical tables: one module a data set, with `convert(raw, out)` and `sanity(graphs, targets)`.

In: data/raw/<dataset>, or timings of this machine. Out: graphs.parquet and targets.parquet, checked against known
facts. May import core, config, fetch, spaces, onnx, export and measure.
"""
