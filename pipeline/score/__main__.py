from pipeline.core.errors import run_cli
from pipeline.score.score import main

run_cli(main)
