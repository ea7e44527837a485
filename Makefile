# Everything a developer of mkindex does, one word each. `make` alone prints this list.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLIENT_PYTHON ?= $(PYTHON)
CLIENTS := pip pip-23.1.2 pip-22.3.1 uv poetry pdm awscli moto check-jsonschema-0.39.0 zizmor-1.32.0 \
	$(if $(shell command -v npm),wrangler)

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

setup: $(READY)  ## Make .venv with mkindex (editable) and its development tools

demo: $(READY)  ## Build an index of examples/wheels in build/demo, and say how to serve it and install from it
	@mkdir -p build
	$(BIN)/mkindex examples/wheels build/demo

test: $(READY) clients  ## Run every test, those with the real clients too
	$(BIN)/pytest --numprocesses auto --dist worksteal

test-unit: $(READY)  ## Run the tests that need no client and no server
	$(BIN)/pytest --numprocesses auto --dist worksteal --ignore tests/functional

clients: $(CLIENTS:%=.clients/%/.ready)  ## Install the clients that the tests install with, and the judges of YAML, in .clients

# What is installed is the name, or name-version. PDM's newest does not always run with the newest of what it needs.
.clients/%/.ready:
	$(CLIENT_PYTHON) -m venv --clear .clients/$*
	.clients/$*/bin/python -m pip install --quiet --upgrade \
		"$$(echo $* | sed -E 's/-([0-9])/==\1/; s/^pdm$$/pdm[locked]/; s/^moto$$/moto[server]/')"
	@touch $@

# A version that Node.js 18 runs. Without it, some tests are skipped.
.clients/wrangler/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/wrangler wrangler@4.40.0 && touch $@ || true

soak: $(READY) clients  ## Run for long: property and crash tests, watching, and an hour of installs while wheels change
	MKINDEX_SOAK=1 $(BIN)/pytest tests/test_properties.py tests/test_crash.py --timeout 0
	MKINDEX_SOAK=1 $(BIN)/pytest tests/functional/test_watch_process.py tests/functional/test_installs_while_it_changes.py -rP --timeout 0

peers: $(READY)  ## Install other index generators for benchmark and tests, each of its own in .peers
	$(BIN)/python -m benchmarks.peers

bench: peers  ## Measure speed beside peers and limits, into benchmarks/RESULTS.md (BENCH=--quick: a look)
	$(BIN)/python -m benchmarks.run $(BENCH)

compare: $(READY)  ## Compare two versions: make compare OLD=PYTHON NEW=PYTHON, each with mkindex installed
	$(BIN)/python -m benchmarks.versions $(OLD) $(NEW)

examples: $(READY)  ## Make examples/wheels anew, byte for byte the same
	$(BIN)/python examples/make.py

BUILD_NEEDS = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock: $(READY) .clients/uv/.ready  ## Choose anew what the GitHub Action installs, with hashes, into action/requirements.txt
	$(BIN)/python -c '$(BUILD_NEEDS)' | .clients/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --upgrade --no-header --no-emit-index-url --no-annotate \
		--output-file action/requirements.txt pyproject.toml - >/dev/null

lint: $(READY)  ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:  ## Remove what was built and downloaded
	rm -rf $(VENV) .venv-* .clients .peers build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: help setup demo test test-unit soak clients peers bench compare examples lock lint format clean
