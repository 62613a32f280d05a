"""Parts that several predictors share.

In and out: tensors and Graphs. May import pipeline.core and predictors.base, no predictor.
"""
