# Graphs of timm's networks, from which data sets of their labels are converted. Needs the extra timm and hours of one core.
# ONNX files that are there are not made again: after a change of how they are made, delete data/raw/timm_latency/onnx.
# stderr stays on the terminal: it shows the progress.
rule export:
    input:
        "data/raw/timm_latency/.fetched",
    output:
        networks="data/raw/timm_latency/networks.parquet",
        listing="data/raw/timm_latency/networks.csv",
    log:
        "logs/export/timm.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        code=code_key("pipeline/export/table.py"),
        tables=lambda wildcards, output: Path(output.networks).parent,
        work=lambda wildcards, output: Path(output.networks).parent / "onnx",
    message:
        "Make the graphs of timm's networks"
    shell:
        "python -m pipeline.export.run --tables {params.tables:q} --work {params.work:q} --out {output.networks:q} > {log:q}"


use rule convert as convert_timm with:
    input:
        "data/raw/{dataset}/.fetched",
        "data/raw/timm_latency/networks.parquet",
        "data/raw/timm_latency/networks.csv",
    log:
        "logs/convert/{dataset}.log",
    wildcard_constraints:
        dataset="timm_latency",
    message:
        "Convert {wildcards.dataset} to Parquet"


ruleorder: convert_timm > convert
