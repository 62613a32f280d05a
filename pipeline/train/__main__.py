from pipeline.core.errors import run_cli
from pipeline.train.cell import main

run_cli(main)
