from pipeline.core.targets import is_cost


# One cell, one job, one file. The grid's file is no input: a cell does not depend on the grid. Where and how long it may
# train are resources, not params: another time limit is no reason to train again. `ask_warm.py` stands for `python -m`:
# it hands the cell to the process that has torch imported, where this run has one.
rule train_cell:
    input:
        tables=multiext("data/parquet/{dataset}/", "graphs.parquet", "targets.parquet"),
        split="data/splits/{dataset}/{seed}.parquet",
        proxies=lambda wildcards: proxies_of(cell_of(wildcards)),
    output:
        "results/predictions/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.parquet",
    log:
        "logs/train/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=int(GRID.timeout_s / 60) + 5,
        timeout_s=GRID.timeout_s,
        torch_device=GRID.torch_device,
    params:
        cell=lambda wildcards: cell_of(wildcards).arguments,
        code=code_key("pipeline/train/cell.py"),
        predictor=lambda wildcards: predictor_key(cell_of(wildcards).predictor),
    message:
        "Train {wildcards.variant} on {wildcards.dataset} {wildcards.target} {wildcards.device}"
        ", budget {wildcards.budget}, seed {wildcards.seed}"
    shell:
        "python -IS pipeline/train/ask_warm.py pipeline.train {params.cell:q}"
        " --code {params.code:q}-{params.predictor:q} --torch-device {resources.torch_device:q}"
        " --timeout {resources.timeout_s:q} --out {output:q} 2> {log:q}"


# Predictions of fits of hours that came with the clone: taken over instead of trained.
ruleorder: kept_cell > train_cell


rule kept_cell:
    input:
        "results/kept/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.parquet",
    output:
        "results/predictions/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.parquet",
    log:
        "logs/train/{dataset}/{target}/{device}/{variant}/{budget}/{seed}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=code_key("pipeline/train/kept.py"),
        predictor=lambda wildcards: predictor_key(cell_of(wildcards).predictor),
        cell=lambda wildcards: cell_of(wildcards).arguments,
    message:
        "Take over {wildcards.variant} on {wildcards.dataset} {wildcards.target}"
        ", budget {wildcards.budget}, seed {wildcards.seed}, from results/kept"
    shell:
        "python -m pipeline.train.kept {input:q} {params.cell:q} --out {output:q} 2> {log:q}"


# Keeps the predictions of this grid that are there: snakemake keep --configfile config/published.yaml
rule keep:
    log:
        f"logs/train/keep/{GRID.name}.log",
    localrule: True
    conda:
        "../envs/bench.yaml"
    params:
        files=lambda wildcards: [f"{cell.id}.parquet" for cell in GRID.cells if Path(cell.path).is_file()],
    message:
        "Keep the predictions of the grid {GRID.name} in results/kept"
    shell:
        "(mkdir -p results/kept && tar -C results/predictions -cf - {params.files:q} | tar -C results/kept -xf -) 2> {log:q}"


# The cell whose attention the default grid's board shows: NN-Former, accuracy, the first seed, 5 % where it has that.
SHOWN = [c for c in GRID.cells if (c.label, c.device, c.seed, c.sources) == ("nn_former", "any", 0, None)]
SHOWN = [c for c in SHOWN if not is_cost(c.target) and "ensemble" not in c.settings]
SHOWN = sorted(SHOWN, key=lambda c: str(c.budget) != "0.05")[:1] if IS_DEFAULT_GRID else []
ATTENTION = [f"{RESULTS}/attention.parquet" for cell in SHOWN]


if SHOWN:

    # Trains that one cell again, for predictions tell nothing of attention.
    rule attention:
        input:
            tables=multiext(f"data/parquet/{SHOWN[0].dataset}/", "graphs.parquet", "targets.parquet"),
            split=f"data/splits/{SHOWN[0].dataset}/0.parquet",
        output:
            ATTENTION,
        log:
            f"logs/train/attention/{GRID.name}.log",
        conda:
            "../envs/bench.yaml"
        threads: 1
        resources:
            mem_mb=4000,
            runtime=int(GRID.timeout_s / 60) + 5,
            timeout_s=GRID.timeout_s,
        params:
            code=code_key("pipeline/train/attention.py"),
            predictor=code_key("predictors/nn_former.py"),
            cell=SHOWN[0].arguments,
            folder=lambda wildcards, input: Path(input.tables[0]).parent,
        message:
            "See what NN-Former looks at in a network of {SHOWN[0].dataset}"
        shell:
            "python -IS pipeline/train/ask_warm.py pipeline.train.attention {params.cell:q}"
            " --data {params.folder:q} --split {input.split:q} --timeout {resources.timeout_s:q} --out {output:q} 2> {log:q}"
