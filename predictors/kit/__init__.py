"""Parts that several predictors share: encodings, layers, loops of training.

In and out: tensors and Graphs. May import core, and predictors.base, but no predictor.
"""
