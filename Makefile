# Everything a developer runs. The first target sets up what it needs; the second time it is quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made
# The environment comes first on PATH: it holds jlpm, jupyter and the kernels' python.
export PATH := $(BIN):$(PATH)
# A Python that a developer has activated elsewhere must not leak in.
unexport PYTHONPATH PYTHONHOME

FRONT_END := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
	$(wildcard labextension/*.json labextension/*.js labextension/*.mjs labextension/yarn.lock)

.PHONY: help
help:  ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# --- setting up -----------------------------------------------------------------------------

.PHONY: setup
setup: $(MADE)/project $(MADE)/tus $(MADE)/hub  ## set up .venv: dependencies, labextension, editable install

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

$(MADE)/dependencies: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev
	@mkdir -p $(MADE) && touch $@

$(MADE)/front-end: $(FRONT_END) $(MADE)/dependencies
	@command -v node >/dev/null || { echo 'Node 20 or newer is needed to build the labextension'; exit 1; }
	cd labextension && jlpm install --immutable && jlpm build:prod
	@touch $@

# The reference tus server, which the tests upload to.
TUS := tests/support/tus
$(MADE)/tus: $(TUS)/package.json $(TUS)/package-lock.json | $(MADE)/dependencies
	npm ci --prefix $(TUS) --no-audit --no-fund --silent
	@touch $@

# JupyterHub and its proxy. The hub's dependencies stay out of the project's environment, whose
# packages its users' servers see all the same.
HUB := tests/support/hub
HUB_PYTHON := $(CURDIR)/.venvs/hub
$(MADE)/hub: $(HUB)/package.json $(HUB)/package-lock.json $(HUB)/requirements.txt | $(MADE)/dependencies
	npm ci --prefix $(HUB) --no-audit --no-fund --silent
	$(BIN)/python -m venv --clear $(HUB_PYTHON)
	$(BIN)/python -c 'import sysconfig; \
		own = sysconfig.get_path("purelib"); \
		theirs = sysconfig.get_path("purelib", vars={"base": "$(HUB_PYTHON)"}); \
		open(f"{theirs}/project.pth", "w").write(f"import site; site.addsitedir({own!r})\n")'
	$(HUB_PYTHON)/bin/python -m pip install --quiet --requirement $(HUB)/requirements.txt
	@touch $@

# The install copies the bundle into .venv/share, so it is repeated when the bundle is new.
$(MADE)/project: $(MADE)/front-end
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.PHONY: system
system:  ## install nginx, chromium and what else tests and benchmarks use (as root, with apt)
	@.ci/system-packages

# --- seeing it work -------------------------------------------------------------------------

.PHONY: demo
demo: setup  ## kill a kernel in the middle of a download [URL=https://… SHA256=…]
	@$(BIN)/python -m demo $(if $(URL),--url '$(URL)') $(if $(SHA256),--sha256 '$(SHA256)')

.PHONY: lab
lab: setup  ## open the quickstart notebook in JupyterLab, beside a slow file server
	@$(BIN)/python -m demo.lab $(if $(URL),--url '$(URL)') $(if $(SHA256),--sha256 '$(SHA256)')

# --- testing --------------------------------------------------------------------------------

.PHONY: check
check: lint  ## the fast part: lint, types, unit tests
	$(BIN)/pytest -q -m 'not slow' tests/engine tests/service tests/files

.PHONY: test
test: system lint  ## everything: lint, types, unit, integration, wheel and browser tests
	$(BIN)/pytest

.PHONY: faults
faults: system setup  ## run every test of a row of docs/faults.md, and count the rows
	@$(BIN)/pytest -q --faults

.PHONY: threats
threats: system setup  ## the same for the threats: rows, secrets found, writes outside, open handlers
	@$(BIN)/pytest -q --threats

.PHONY: soak
soak: system setup  ## 1,000 kills at random system calls, 100 power cuts, 100,000 deliveries [SHORT=1]
	$(if $(SHORT),,SOAK=long) $(BIN)/pytest -s tests/soak tests/integration/test_kills.py \
		tests/engine/test_schedules.py

.PHONY: browser
browser: system setup  ## only the tests in a real Chromium
	$(BIN)/pytest tests/browser

.PHONY: audit
audit: setup  ## ask which weaknesses of the dependencies are known, and say what could not be asked
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/audit > docs/audit.txt; found=$$?; \
		cat docs/audit.txt; exit $$found

.PHONY: strip
strip: system setup  ## draw the README's picture of the story anew, in a real JupyterLab
	$(BIN)/pytest -q tests/browser/test_story.py
	cp tests/browser/shots/story.png docs/images/story.png

.PHONY: lint
lint: setup  ## lint and types alone, Python and TypeScript, with the front end's unit tests
	ruff check
	ruff format --check
	mypy
	mypy --package demo --package benchmarks
	lint-imports
	cd labextension && jlpm types:check && jlpm lint:check && jlpm test

# The Python peers must not meet our own dependencies.
PEERS := $(CURDIR)/.venvs/peers

$(PEERS)/.made: benchmarks/peers.txt | $(BIN)/python
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement $<
	@touch $@

.PHONY: bench
bench: system setup $(PEERS)/.made  ## measure us beside our peers [QUICK=1] [FIGURES="one-file-http …"]
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(FIGURES)

# --- releasing ------------------------------------------------------------------------------

.PHONY: wheel
wheel: setup  ## build sdist and wheel, and start a server from the wheel where there is no Node
	$(BIN)/pytest -s tests/files/test_wheel.py

.PHONY: clean
clean:  ## remove what was built; keeps .venv
	rm -rf build dist jupyter_bgdl/labextension labextension/lib .cache $(MADE)/front-end $(MADE)/project
