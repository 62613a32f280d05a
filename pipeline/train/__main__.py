from pipeline.core.errors import run_cli
from pipeline.train.command import main

run_cli(main)
