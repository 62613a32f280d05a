"""Files, errors, tables and tensors that every step shares.

In: nothing of this project. Out: the canonical tables, Graphs, atomic files. May import nothing else of the project.
"""
