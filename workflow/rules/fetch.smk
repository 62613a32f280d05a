# Source files. The output is a mark, so that a run cut short keeps the files it already has; the sha256 of each file is
# checked by the fetcher. stderr stays on the terminal: it shows the progress.
rule fetch:
    output:
        touch("data/raw/{dataset}/.fetched"),
    log:
        "logs/fetch/{dataset}.log",
    conda:
        "../envs/bench.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        facts=facts,
        code=code_key("pipeline/fetch/fetch.py"),
        mirror=lambda wildcards: f"--mirror={GRID.mirror}" if GRID.mirror else "",  # a function's braces are text
    message:
        "Fetch the source files of {wildcards.dataset}"
    shell:
        "python -m pipeline.fetch {wildcards.dataset:q} {params.mirror:q} --out data/raw/{wildcards.dataset:q} > {log:q}"
