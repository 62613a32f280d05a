# What the grid will cost, from the timings in the scores at hand:
# snakemake estimate --cores 1 --configfile config/full/paper.yaml
rule estimate:
    input:
        grid=GRID.path,
    log:
        f"logs/estimate/{GRID.name}.log",
    localrule: True
    conda:
        "../envs/bench.yaml"
    threads: 1
    message:
        "Estimate the cost of the grid {GRID.name}"
    shell:
        "python -m pipeline.plan.estimate --grid {input.grid:q} 2> {log:q}"
