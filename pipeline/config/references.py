"""HELP's reference networks (Lee et al., NeurIPS 2021, arXiv 2106.08630): ten a space, whose latencies embed a device.

By graph id, which is the place in HELP's files of latencies; from `hardware_embedding_index.pt` of each space in the
released code (github.com/HayeonLee/HELP at 45f70eb), which does not say how they were chosen.
"""

REFERENCES = {
    "help_nasbench201": (11982, 431, 55, 9, 14451, 8636, 9881, 13479, 6196, 1462),
    "help_fbnet": (3328, 3790, 3313, 890, 3052, 2538, 1640, 2514, 457, 2100),
    "help_ofa": (1316, 1587, 1621, 1636, 1980, 2329, 2487, 3355, 3740, 4948),
}
