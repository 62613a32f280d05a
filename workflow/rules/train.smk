# One cell, one job, one file. The grid's file is no input: a cell does not depend on the grid. Where and how long it may
# train are resources, not params: another time limit is no reason to train again. `ask_warm.py` stands for `python -m`:
# it hands the cell to the process that has torch imported, where this run has one.
rule train_cell:
    input:
        tables=multiext("data/parquet/{dataset}/", "graphs.parquet", "targets.parquet"),
        split="data/splits/{dataset}/{seed}.parquet",
    output:
        "results/predictions/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.parquet",
    log:
        "logs/train/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=int(GRID.timeout_s / 60) + 15,
        timeout_s=GRID.timeout_s,
        torch_device=GRID.torch_device,
    params:
        cell=lambda wildcards: cell_of(wildcards).arguments,
        code=code_key("pipeline/train/cell.py"),
        predictor=lambda wildcards: code_key(f"predictors/{cell_of(wildcards).predictor}.py"),
    message:
        "Train {wildcards.variant} on {wildcards.dataset} {wildcards.target} {wildcards.device}"
        ", budget {wildcards.budget}, seed {wildcards.seed}"
    shell:
        "python -IS pipeline/train/ask_warm.py pipeline.train {params.cell:q}"
        " --torch-device {resources.torch_device} --timeout {resources.timeout_s} --out {output} 2> {log}"
