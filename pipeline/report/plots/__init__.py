"""The figures of a board, one kind a module; `draw` decides which a board has."""
