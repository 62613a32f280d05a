from pipeline.core.errors import run_cli
from pipeline.predict.command import main

run_cli(main)
