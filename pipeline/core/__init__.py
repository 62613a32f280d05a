"""Files, errors, tables and tensors that every step shares.

In: nothing of this project. Out: the canonical tables, Graphs, atomic files. Imports nothing of the pipeline.
"""
