# Thin shortcuts: each target makes .venv when it is missing or pyproject.toml has changed.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
INSTALLED := .venv/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE :=  # packages are installed without bytecode: their first import writes it

.DEFAULT_GOAL := help
.PHONY: help leaderboard test pull

help: ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

leaderboard: $(INSTALLED) ## run the default grid, write its board and results/leaderboard.md (CORES=2 limits the cores)
	@snakemake --cores $(CORES)

test: $(INSTALLED) ## run all tests
	@pytest -n 2 --dist loadfile --no-loadscope-reorder tests  # the longest files first: tests/conftest.py

pull: $(INSTALLED) ## get the recorded data and predictions from the DVC remote instead of training
	@dvc pull
	@snakemake all --touch --forceall --cores 1 --quiet all  # record that the files pulled are up to date

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; run make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[test]'
	@touch $@
