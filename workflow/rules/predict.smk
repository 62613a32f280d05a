# Saved predictors of latency, for pipeline.predict: of each label and device of the grid, the cell with the most labels.
# Such a cell is trained here and not by train_cell: its predictions and its model come from one run. Where the grid leaves
# lineages out too, those cells' predictions tell how errors grow with distance.
MODEL_CELLS = [cell.id for cell in cells_to_save(GRID, DATASETS)]
MODELS = [f"results/models/{cell}" for cell in MODEL_CELLS]


ruleorder: model > train_cell


rule model:
    input:
        tables=lambda wildcards: multiext(
            f"data/parquet/{cell_of(wildcards).dataset}/", "graphs.parquet", "targets.parquet"
        ),
        split=lambda wildcards: f"data/splits/{cell_of(wildcards).dataset}/{cell_of(wildcards).seed}.parquet",
        left_out=lambda wildcards: [cell.path for cell in left_out_cells(GRID, cell_of(wildcards))],
    output:
        predictions="results/predictions/{cell}.parquet",
        model=directory("results/models/{cell}"),
    log:
        "logs/predict/{cell}.log",
    wildcard_constraints:
        cell="|".join(map(re.escape, MODEL_CELLS)) or "(?!)",
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
        code=code_key("pipeline/predict/save.py"),
        predictor=lambda wildcards: predictor_key(cell_of(wildcards).predictor),
    message:
        "Train and save {wildcards.cell}"
    shell:
        "python -IS pipeline/train/ask_warm.py pipeline.predict.save {params.cell:q}"
        " --torch-device {resources.torch_device:q} --timeout {resources.timeout_s:q}"
        " --out {output.predictions:q} --model {output.model:q} --left-out {input.left_out:q}"
        " 2> {log:q}"


# Saved predictors of the grid: python -m pipeline.predict --list
rule models:
    input:
        MODELS,
    message:
        "The saved predictors of the grid {GRID.name} are complete"


# Predictors that come with the package, in git: made again by their name alone.
rule shipped:
    input:
        tables=multiext("data/parquet/timm_latency/", "graphs.parquet", "targets.parquet"),
        split="data/splits/timm_latency/0.parquet",
    output:
        directory("shipped"),
    log:
        "logs/predict/shipped.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code_key("pipeline/predict/ship.py", "predictors/gbdt.py"),
    message:
        "Train the predictors that come with the package"
    shell:
        "python -m pipeline.predict.ship --data data/parquet/timm_latency --split {input.split:q}"
        " --code {params.code:q} --out {output:q} > {log:q} 2>&1"
