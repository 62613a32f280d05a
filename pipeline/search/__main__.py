from pipeline.core.errors import run_cli
from pipeline.search.command import main

run_cli(main)
