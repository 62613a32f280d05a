"""Search spaces as graphs: which networks there are and which are the same.

In: nothing (no files, no labels). Out: operations and edges. May import core.
"""
