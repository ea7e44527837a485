# Everything a developer of mkindex does, one word each. `make` alone prints this list.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

setup: $(READY)  ## Make .venv with mkindex (editable) and its development tools

examples: $(READY)  ## Make examples/wheels anew, byte for byte the same
	$(BIN)/python examples/make.py

lint: $(READY)  ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:  ## Remove what was built and downloaded
	rm -rf $(VENV) .clients .peers build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: help setup examples lint format clean
