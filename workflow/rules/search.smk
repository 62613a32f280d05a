# Search with few queries, a grid of its own: snakemake search --cores 2. What is searched stands in config/search.yaml.


# All seeds of a method, one after another; those that have ended are kept when it is killed.
rule search_space:
    input:
        tables=tables_of_search,
    output:
        "results/searches/{space}/{method}.parquet",
    log:
        "logs/search/{space}/{method}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        code=code_key("pipeline/search/command.py"),
        predictor=code_of_searcher,
        facts=facts_of_search,
    message:
        "Search {wildcards.space} by {wildcards.method}"
    shell:
        "python -m pipeline.search --space {wildcards.space:q} --method {wildcards.method:q}"
        " --code {params.code:q}-{params.predictor:q} 2> {log:q}"


rule search_scores:
    input:
        traces=traces,
        grid="config/search.yaml",
    output:
        "results/search/searches.parquet",
    log:
        "logs/search/scores.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_key("pipeline/score/search.py"),
    message:
        "Score the searches"
    shell:
        "python -m pipeline.score.search --grid {input.grid:q} --out {output:q} 2> {log:q}"


rule search_board:
    input:
        scores="results/search/searches.parquet",
        style="pipeline/report/plots/bench.mplstyle",
    output:
        "results/search/leaderboard.md",
        directory("results/search/plots"),
    log:
        "logs/search/board.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_key("pipeline/report/search_page.py"),
        folder=lambda wildcards, output: Path(output[0]).parent,
    message:
        "Write {output[0]} and its plots"
    shell:
        "python -m pipeline.report.search_page --searches {input.scores:q} --out {params.folder:q} 2> {log:q}"


rule search:
    input:
        "results/search/leaderboard.md",
    message:
        "The searches are complete: {input[0]}"
