from pipeline.core.errors import run_cli
from pipeline.predict.model import main

run_cli(main)
