"""Source files from outside, verified.

In: addresses, sizes and hashes of config/datasets.yaml. Out: data/raw/<dataset>. May import core and config.
"""
