# Canonical tables.
# After a change of the fetcher or a converter, `snakemake data` first: if the tables come out the same, nothing is trained
# again. (The mark of fetched files is not ancient(): Snakemake 9 then runs a fetch alone and calls the grid complete.)
KEPT_GRAPHS = {"timm_imagenet": "timm_latency"}  # by the data set whose folder they have


rule convert:
    input:
        "data/raw/{dataset}/.fetched",
        # Graphs that come with the clone.
        lambda wildcards: glob(f"data/kept/{KEPT_GRAPHS.get(wildcards.dataset, wildcards.dataset)}/networks.*"),
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
        code=lambda wildcards: code_key(f"pipeline/convert/{wildcards.dataset}.py"),
    message:
        "Convert {wildcards.dataset} to Parquet"
    shell:
        "python -m pipeline.convert.{wildcards.dataset:q}"
        " --raw data/raw/{wildcards.dataset:q} --out data/parquet/{wildcards.dataset:q} 2> {log:q}"
