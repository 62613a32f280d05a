# Data sets made on this machine: networks are generated, then timed on each platform, then converted like any other.
# Timings can't be made again: no change of code is a reason to time again, and `timed/<platform>.jsonl` keeps every one,
# so that only networks that are new or changed are timed.
MADE = "|".join(name for name, dataset in DATASETS.items() if dataset.made)


rule networks:
    output:
        "data/raw/{dataset}/networks.csv",
    log:
        "logs/measure/{dataset}/networks.log",
    wildcard_constraints:
        dataset=MADE,
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        facts=facts,
        code=code_key("pipeline/measure/networks.py"),
        folder=lambda wildcards, output: Path(output[0]).with_suffix(""),
    message:
        "Generate the networks of {wildcards.dataset}"
    shell:
        "python -m pipeline.measure.networks --dataset {wildcards.dataset:q} --out {params.folder:q} > {log:q} 2>&1"


# All cores: nothing else may run meanwhile. stderr stays on the terminal: it shows the progress.
rule measure:
    input:
        "data/raw/{dataset}/networks.csv",
    output:
        "data/parquet/{dataset}/timed/{platform}.parquet",
    log:
        "logs/measure/{dataset}/{platform}.log",
    wildcard_constraints:
        dataset=MADE,
        platform=r"[a-z0-9-]+",
    priority: 100
    conda:
        "../envs/bench.yaml"
    threads: ALL_CORES
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        folder=lambda wildcards, input: Path(input[0]).with_suffix(""),
    message:
        "Time the networks of {wildcards.dataset} on {wildcards.platform}; leave the machine alone meanwhile"
    shell:
        "python -m pipeline.measure.run --networks {params.folder:q} --platform {wildcards.platform:q}"
        " --out {output:q} > {log:q}"


use rule convert as convert_measured with:
    input:
        networks="data/raw/{dataset}/networks.csv",
        timed=lambda wildcards: [
            f"data/parquet/{wildcards.dataset}/timed/{platform}.parquet"
            for platform in DATASETS[wildcards.dataset].platforms
        ],
    log:
        "logs/convert/{dataset}.log",
    wildcard_constraints:
        dataset=MADE,
    message:
        "Convert {wildcards.dataset} to Parquet"


ruleorder: convert_measured > convert
