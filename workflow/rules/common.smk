# The grid of this run and what follows from it.
from pipeline.plan import interrupts

if workflow.is_main_process:
    interrupts.end_at_once()

import os
import re
import shlex
import sys
from functools import cache
from glob import glob
from pathlib import Path

from pipeline.config import datasets, search_grid
from pipeline.config.grid import DEFAULT_GRID, cells_to_save, left_out_cells, load_grid
from pipeline.core.errors import BenchError, one_line
from pipeline.core.parent import RUN
from pipeline.plan.code_keys import code_key, predictor_key
from pipeline.plan.preflight import is_plain, require_files, require_folders, require_plain, require_rights
from pipeline.plan.run_lock import refuse_left_jobs, take_over
from pipeline.plan.warm_imports import modules_of
from pipeline.train import warm

# Jobs run the Python that runs Snakemake, whether its environment is activated or not; polars, like the others, one thread.
TOOLS = shlex.quote(str(Path(sys.executable).parent)).replace("{", "{{").replace("}", "}}")
shell.prefix(f'export PATH={TOOLS}:"$PATH" POLARS_MAX_THREADS=1 {RUN}={os.getpid()}; ')

try:
    if len(workflow.configfiles) > 1:
        raise BenchError("--configfile: more than one grid; give one")
    # Snakemake reads a --configfile itself, before this, and runs Python that it holds; a grid_file is read here alone.
    named = workflow.configfiles[0] if workflow.configfiles else config.get("grid_file", f"config/{DEFAULT_GRID}.yaml")
    GRID = load_grid(str(named))
    # Results from outside (docs/external_results.md), scored like ours and shown apart.
    RESULT_FILES = sorted(str(path) for path in Path("external").glob("*/*") if path.is_file())
    require_plain([GRID.path, Path.cwd(), *RESULT_FILES])
    DATASETS = datasets.load()
    require_folders()
except BenchError as error:
    print(f"error: {one_line(error)}", file=sys.stderr)
    sys.exit(1)

# A run that only sends jobs elsewhere may have been given no number of cores.
ALL_CORES = workflow.resource_settings.cores or 1
CELLS = {cell.path: cell for cell in GRID.cells}
PREDICTIONS = list(CELLS)
USED_DATASETS = sorted({cell.dataset for cell in GRID.cells})
TABLES = expand("data/parquet/{dataset}/{table}.parquet", dataset=USED_DATASETS, table=["graphs", "targets"])
SPLITS = sorted({f"data/splits/{cell.dataset}/{cell.seed}.parquet" for cell in GRID.cells})
DATA_FILES = TABLES + SPLITS
RESULTS = f"results/{GRID.name}"
IS_DEFAULT_GRID = GRID.name == DEFAULT_GRID


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    space=r"[a-z0-9_-]+",
    target=r"[a-z0-9_]+",
    device=r"[^/]+",
    variant=r"[^/]+",
    budget=r"[^/]+",
    seed=r"[0-9]+",


def facts(wildcards):
    """What config/datasets.yaml says of the data set: when it changes, the data are made again."""
    return repr(DATASETS[wildcards.dataset])


def cell_of(wildcards):
    """The grid's cell whose predictions file has these wildcards."""
    if "cell" in wildcards.keys():
        return CELLS[f"results/predictions/{wildcards.cell}.parquet"]
    return CELLS[
        "results/predictions/{0.dataset}/{0.target}/{0.device}/{0.variant}/{0.budget}/{0.seed}.parquet".format(
            wildcards
        )
    ]


def proxies_of(cell):
    """The table of zero-cost proxies that a cell's predictor asks for, if it does."""
    return [f"data/parquet/{cell.dataset}/proxies.parquet"] if cell.settings.get("proxies") else []


@cache
def searches():
    """config/search.yaml, read when a search is asked for."""
    try:
        return search_grid.load()
    except BenchError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)


def traces(wildcards):
    """The files of all searches."""
    return [f"results/searches/{space}/{method}.parquet" for space, method in searches().pairs]


def tables_of_search(wildcards):
    """The tables that the search of a space reads."""
    return expand(
        "data/parquet/{dataset}/{table}.parquet",
        dataset=searches().tasks[wildcards.space].datasets,
        table=["graphs", "targets"],
    )


def facts_of_search(wildcards):
    """What decides the searches of a space and method beside code and tables: the file itself is no input."""
    return repr(searches().facts(wildcards.space, wildcards.method))


def code_of_searcher(wildcards):
    """The key of the predictor's code that a search fits."""
    name = searches().methods[wildcards.method].predictor
    return code_key(f"predictors/{name}.py") if name else "none"


onstart:
    global run_lock, warm_server  # both end with this process
    try:
        run_lock = None
        if workflow.is_main_process:
            require_rights()
            require_files([*DATA_FILES, *PREDICTIONS, *BOARD, FRONT_PAGE, *FACTS, GRID.path])
            refuse_left_jobs()
            run_lock = take_over()
    except BenchError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)
    if workflow.is_main_process:
        interrupts.as_usual()
    if workflow.is_main_process and workflow.local_exec:
        # The rate limit has a timer for each finished job that renews itself for ever; a long time span only makes the
        # run wait for the last of them. Jobs on this machine need no limit.
        workflow.scheduler.job_rate_limiter = None
        interrupts.end_at_the_second()
        warm_server = warm.start(modules_of(GRID, saves=bool(MODELS)))
