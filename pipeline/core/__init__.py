"""Files, errors, tables, tensors and checkpoints that every step shares.

In: nothing of this project. Out: the canonical tables, Graphs, atomic files. May import nothing else of the project.
"""
