"""Numbers to words and pictures; no new numbers.

In: scores.parquet. Out: leaderboards and figures. May import core, config and score.
"""
