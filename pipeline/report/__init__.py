"""Numbers to words and pictures; no new numbers.

In: scores.parquet; predictions and labels for one kind of figure. Out: leaderboards and figures. May
import core, config, spaces and score.
"""
