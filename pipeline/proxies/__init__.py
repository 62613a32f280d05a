"""Zero-cost proxies: what an untrained network tells of its accuracy, on random inputs and without a label.

In: cells as graphs. Out: tables of proxies, one row a function or one a network. May import core and spaces.
"""
