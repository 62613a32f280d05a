# Zero-cost proxies of a data set's networks, for the predictors that ask for them.
rule proxies:
    input:
        graphs="data/parquet/{dataset}/graphs.parquet",
        kept="data/kept/proxies/nasbench201.parquet",
    output:
        "data/parquet/{dataset}/proxies.parquet",
    log:
        "logs/proxies/{dataset}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code_key("pipeline/proxies/table.py"),
    message:
        "Look up the zero-cost proxies of {wildcards.dataset}"
    shell:
        "python -m pipeline.proxies.table --graphs {input.graphs:q} --kept {input.kept:q} --out {output:q} 2> {log:q}"


# The table that comes with the clone takes minutes of CPU time: made where it is missing, never because code changed.
# stderr stays on the terminal: it shows the progress.
rule kept_proxies:
    output:
        "data/kept/proxies/nasbench201.parquet",
    log:
        "logs/proxies/kept.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=180,
    message:
        "Compute the zero-cost proxies of NAS-Bench-201"
    shell:
        "python -m pipeline.proxies --out {output:q} > {log:q}"
