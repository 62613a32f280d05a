# Who is trained on and who is scored, for each seed.
rule split:
    input:
        graphs="data/parquet/{dataset}/graphs.parquet",
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
        code=code_key("pipeline/split/splits.py"),
    message:
        "Split {wildcards.dataset}, seed {wildcards.seed}"
    shell:
        "python -m pipeline.split --dataset {wildcards.dataset:q} --seed {wildcards.seed:q}"
        " --graphs {input.graphs:q} --out {output:q} 2> {log:q}"
