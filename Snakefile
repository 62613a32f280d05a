# NN-Former Bench: source files -> Parquet -> splits -> predictions -> scores -> board.
#   snakemake --cores 2                                        the default grid, config/benchmark.yaml
#   snakemake --cores 2 --configfile config/nasbench201.yaml   another grid
#   snakemake data --cores 2                                   only the data; likewise train, models, report and (of all grids) boards
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/proxies.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/estimate.smk"
include: "workflow/rules/search.smk"


# The predictions are named here too: in a fresh clone the board is there and they are not.
rule all:
    default_target: True
    input:
        DATA_FILES,
        PREDICTIONS,
        MODELS,
        REPORT_FILES,
    message:
        "The grid {GRID.name} is complete: {RESULTS}/leaderboard.md"


# Parquet tables and splits of the grid's data sets.
rule data:
    input:
        DATA_FILES,
    message:
        "The data of the grid {GRID.name} are complete"


# Predictions of every cell of the grid, and its saved predictors.
rule train:
    input:
        PREDICTIONS,
        MODELS,
    message:
        "The predictions of the grid {GRID.name} are complete"


# Scores, leaderboard and plots of the grid.
rule report:
    input:
        PREDICTIONS,
        REPORT_FILES,
    message:
        "The report of the grid {GRID.name} is complete: {RESULTS}/leaderboard.md"
