from pipeline.core.errors import run_cli
from pipeline.split.splits import main

run_cli(main)
