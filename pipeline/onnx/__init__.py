"""One ONNX file to one canonical graph with shapes and costs.

In: an ONNX model. Out: OnnxGraph, and columns of the graphs table. May import core and spaces.
"""
