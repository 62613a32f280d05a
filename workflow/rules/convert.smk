# Canonical tables and splits.
# After a change of the fetcher or a converter, `snakemake data` first: if the tables come out the same, nothing is trained
# again. (The mark of fetched files is not ancient(): Snakemake 9 then runs a fetch alone and calls the grid complete.)
rule convert:
    input:
        "data/raw/{dataset}/.fetched",
        code=lambda wildcards: code_files(f"pipeline/convert/{wildcards.dataset}.py"),
    output:
        graphs="data/parquet/{dataset}/graphs.parquet",
        targets="data/parquet/{dataset}/targets.parquet",
    log:
        "logs/convert/{dataset}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        facts=facts,
    message:
        "Convert {wildcards.dataset} to Parquet"
    shell:
        "python -m pipeline.convert.{wildcards.dataset}"
        " --raw data/raw/{wildcards.dataset} --out data/parquet/{wildcards.dataset} 2> {log}"


rule split:
    input:
        graphs="data/parquet/{dataset}/graphs.parquet",
        code=code_files("pipeline/split/splits.py"),
    output:
        "data/splits/{dataset}/{seed}.parquet",
    log:
        "logs/split/{dataset}/{seed}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        facts=facts,
    message:
        "Split {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.split --dataset {wildcards.dataset} --seed {wildcards.seed}"
        " --graphs {input.graphs} --out {output} 2> {log}"
