from pipeline.core.errors import run_cli
from pipeline.proxies.run import main

if __name__ == "__main__":
    run_cli(main)
