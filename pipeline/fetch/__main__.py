from pipeline.core.errors import run_cli
from pipeline.fetch.fetch import main

run_cli(main)
