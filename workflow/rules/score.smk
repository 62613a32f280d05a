EXTERNAL = [f"{RESULTS}/external.json"] if RESULT_FILES else []


if EXTERNAL:

    rule external:
        input:
            results=RESULT_FILES,
            tables=TABLES,
            grid=GRID.path,
        output:
            EXTERNAL,
        log:
            f"logs/score/external/{GRID.name}.log",
        conda:
            "../envs/bench.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            code=code_key("pipeline/score/external.py"),
        message:
            "Check and score the results in external/"
        shell:
            "python -m pipeline.score.external --grid {input.grid:q} --data data --out {output:q} 2> {log:q}"


# Scores of every cell of the grid. With `snakemake --config strict=true` a cell that failed fails the run.
rule score:
    input:
        predictions=PREDICTIONS,
        data=DATA_FILES,
        grid=GRID.path,
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
        strict="--strict" if str(config.get("strict", False)).lower() in ("true", "1", "yes") else "",
    params:
        code=code_key("pipeline/score/score.py"),
        identity=[f"{name} {operation}" for name in USED_DATASETS for operation in DATASETS[name].identity],
    message:
        "Score the grid {GRID.name}"
    shell:
        "python -m pipeline.score --grid {input.grid:q} --data data --out {output:q} {resources.strict:q} 2> {log:q}"
