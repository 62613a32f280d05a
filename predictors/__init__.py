"""Predictors of neural-architecture accuracy and latency: one file each, class ``Predictor``."""
