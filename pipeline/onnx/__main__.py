from pipeline.core.errors import run_cli
from pipeline.onnx.graph import main

run_cli(main)
