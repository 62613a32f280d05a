"""This machine to labels: networks are generated and timed.

In: families of networks, platforms. Out: timings as Parquet. May import core, config, spaces and onnx.
"""
