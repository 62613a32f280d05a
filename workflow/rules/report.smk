# The board of the grid with its figures, and the front page of all boards.
BOARD = [f"{RESULTS}/leaderboard.md", f"{RESULTS}/metrics.json"]
FIGURES = [f"{RESULTS}/plots", f"{RESULTS}/html"]
FRONT_PAGE = "results/leaderboard.md"
# The front page quotes every board.
OTHER_SCORES = {str(path) for path in Path("results").glob("*/scores.parquet") if is_plain(path)}
OTHER_SCORES = sorted(OTHER_SCORES - {f"{RESULTS}/scores.parquet"})
FACTS = ["config/datasets.yaml", "config/published.csv", "config/tuned.yaml"]

REPORT_FILES = [f"{RESULTS}/scores.parquet", *ATTENTION, *BOARD, *FIGURES, FRONT_PAGE]


rule board:
    input:
        scores=f"{RESULTS}/scores.parquet",
        grid=GRID.path,
        facts=FACTS,
        attention=ATTENTION,
        external=EXTERNAL,
        style=["pipeline/report/plots/bench.mplstyle", "pipeline/report/leaderboard.html"],
    output:
        BOARD,
        directory(FIGURES[0]),
        report(directory(FIGURES[1]), patterns=["{figure}.svg"], category="Figures"),
    log:
        f"logs/report/{GRID.name}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_key("pipeline/report/report.py"),
        folder=lambda wildcards, output: Path(output[0]).parent,
        attention=f"--attention={ATTENTION[0]}" if ATTENTION else "",
    message:
        "Write {RESULTS}/leaderboard.md and its plots"
    shell:
        "python -m pipeline.report --scores {input.scores:q} --grid {input.grid:q} --data data"
        " --out {params.folder:q} {params.attention:q} 2> {log:q}"


rule front_page:
    input:
        scores=[f"{RESULTS}/scores.parquet", *OTHER_SCORES],
        grid=GRID.path,
        facts=FACTS,
    output:
        FRONT_PAGE,
    log:
        "logs/report/front_page.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_key("pipeline/report/boards.py"),
    message:
        "Write {output}, the front page of all boards"
    shell:
        "python -m pipeline.report.boards --front-page 2> {log:q}"


# Every board and the front page again, from the scores that are there: needs no data and no predictions.
rule boards:
    log:
        "logs/report/boards.log",
    conda:
        "../envs/bench.yaml"
    threads: ALL_CORES
    message:
        "Write every board and the front page from their scores"
    shell:
        "python -m pipeline.report.boards --jobs {threads} 2> {log:q}"
