from pipeline.core.errors import run_cli
from pipeline.report.report import main

run_cli(main)
