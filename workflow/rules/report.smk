# Scores of every cell of the grid, then the board and the plots.
BOARD = [f"{RESULTS}/leaderboard.{kind}" for kind in ("md", "html", "csv")] + [f"{RESULTS}/metrics.json"]
ROOT_BOARD = ["results/leaderboard.md"] if IS_DEFAULT_GRID else []
OTHER_BOARDS = (
    sorted({str(path) for path in Path("results").glob("*/leaderboard.md")} - set(BOARD)) if ROOT_BOARD else []
)
REPORT_FILES = [f"{RESULTS}/scores.parquet", *BOARD, *ROOT_BOARD, f"{RESULTS}/plots"]


rule score:
    input:
        predictions=PREDICTIONS,
        data=DATA_FILES,
        grid=GRID.path,
        code=code_files("pipeline/score.py"),
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


rule board:
    input:
        scores=f"{RESULTS}/scores.parquet",
        grid=GRID.path,
        facts=["config/datasets.yaml", "config/published.csv"],
        style=["pipeline/bench.mplstyle", "pipeline/leaderboard.html"],
        code=code_files("pipeline/report.py"),
    output:
        BOARD,
        ROOT_BOARD,
        report(directory(f"{RESULTS}/plots"), patterns=["{figure}.svg"], category="Figures"),
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
        root_board=f"--root-board {ROOT_BOARD[0]}" if ROOT_BOARD else "",
    message:
        "Write {RESULTS}/leaderboard.md and its plots"
    shell:
        "python -m pipeline.report --scores {input.scores} --grid {input.grid} --data data"
        " --out {params.folder} {params.root_board} 2> {log}"
