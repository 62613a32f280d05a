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
