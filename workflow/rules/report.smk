# Scores of every cell of the grid, its board with the figures, and the front page of all boards.
from pipeline.core.targets import is_cost

BOARD = [f"{RESULTS}/leaderboard.md", f"{RESULTS}/metrics.json"]
FIGURES = [f"{RESULTS}/plots", f"{RESULTS}/html"]
FRONT_PAGE = "results/leaderboard.md"
# The front page quotes every board.
OTHER_SCORES = sorted({str(path) for path in Path("results").glob("*/scores.parquet")} - {f"{RESULTS}/scores.parquet"})
FACTS = ["config/datasets.yaml", "config/published.csv", "config/tuned.yaml"]

# The cell whose attention the default grid's board shows: NN-Former, accuracy, the first seed, 5 % where it has that.
SEEN = [c for c in GRID.cells if (c.label, c.device, c.seed, c.sources) == ("nn_former", "any", 0, "{}")]
SEEN = [c for c in SEEN if not is_cost(c.target) and "ensemble" not in c.overrides]
SEEN = sorted(SEEN, key=lambda c: c.train != "0.05")[:1]
SEEN = SEEN if IS_DEFAULT_GRID else []
ATTENTION = [f"{RESULTS}/attention.parquet" for cell in SEEN]
REPORT_FILES = [f"{RESULTS}/scores.parquet", *ATTENTION, *BOARD, *FIGURES, FRONT_PAGE]


rule score:
    input:
        predictions=PREDICTIONS,
        data=DATA_FILES,
        grid=GRID.path,
        code=code_files("pipeline/score/score.py"),
    output:
        f"{RESULTS}/scores.parquet",
    log:
        f"logs/score/{GRID.name}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    message:
        "Score the grid {GRID.name}"
    shell:
        "python -m pipeline.score --grid {input.grid} --data data --out {output} 2> {log}"


if SEEN:

    # Trains that one cell again, for predictions tell nothing of attention.
    rule attention:
        input:
            tables=multiext(f"data/parquet/{SEEN[0].dataset}/", "graphs.parquet", "targets.parquet"),
            split=f"data/splits/{SEEN[0].dataset}/0.parquet",
            code=code_files("pipeline/train/attention.py"),
        output:
            ATTENTION,
        log:
            f"logs/attention/{GRID.name}.log",
        conda:
            "../envs/bench.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=int(GRID.timeout_s / 60) + 15,
        params:
            cell=f"--dataset {SEEN[0].dataset} --target {SEEN[0].target} --train {SEEN[0].train}",
            overrides=SEEN[0].overrides,
            folder=lambda wildcards, input: Path(input.tables[0]).parent,
        message:
            "See what NN-Former looks at in a network of {SEEN[0].dataset}"
        shell:
            "python -m pipeline.train.attention {params.cell} --config {params.overrides:q}"
            " --data {params.folder} --split {input.split} --out {output} 2> {log}"


rule board:
    input:
        scores=f"{RESULTS}/scores.parquet",
        grid=GRID.path,
        facts=FACTS,
        attention=ATTENTION,
        style=["pipeline/report/plots/bench.mplstyle", "pipeline/report/leaderboard.html"],
        code=code_files("pipeline/report/report.py"),
    output:
        BOARD,
        directory(FIGURES[0]),
        report(directory(FIGURES[1]), patterns=["{figure}.svg"], category="Figures"),
    log:
        f"logs/board/{GRID.name}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
        attention=f"--attention {ATTENTION[0]}" if ATTENTION else "",
    message:
        "Write {RESULTS}/leaderboard.md and its plots"
    shell:
        "python -m pipeline.report --scores {input.scores} --grid {input.grid} --data data"
        " --out {params.folder} {params.attention} 2> {log}"


rule front_page:
    input:
        scores=[f"{RESULTS}/scores.parquet", *OTHER_SCORES],
        grid=GRID.path,
        facts=FACTS,
        code=code_files("pipeline/report/boards.py"),
    output:
        FRONT_PAGE,
    log:
        "logs/board/front_page.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Write {output}, the front page of all boards"
    shell:
        "python -m pipeline.report.boards --front-page 2> {log}"


# Every board and the front page again, from the scores that are there: needs no data and no predictions.
rule boards:
    log:
        "logs/board/boards.log",
    conda:
        "../envs/bench.yaml"
    threads: workflow.cores
    message:
        "Write every board and the front page from their scores"
    shell:
        "python -m pipeline.report.boards --jobs {threads} 2> {log}"
