"""A saved predictor answers for one network.

In: an ONNX file, a saved predictor. Out: a latency with its interval. May import core, measure, onnx, predictors,
score and train.
"""
