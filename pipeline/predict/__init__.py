"""Saved predictors, and those that come with the package, answer for networks.

In: an ONNX file, a saved predictor. Out: a latency with its interval, and where the time goes. May import config, core,
export, measure, onnx, predictors, score and train.
"""
