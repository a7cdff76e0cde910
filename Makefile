# The one entry: `make demo`, `make test`, and the words of an operator (`make help`).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help dev lint types format test test-fast demo wheel-test clean

VENV ?= .venv
BIN := $(VENV)/bin
# A Python of 3.12 or newer: the first that is found on PATH or under pyenv; PYTHON=… overrides.
PYTHON ?= $(shell scripts/find-python)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up -------------------------------------------------------------------------------------------
dev: $(VENV)/.installed ## make the environment (.venv), if it is not there or its inputs changed

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt scripts/find-python
	@test -n "$(PYTHON)" || { echo "apcampaign needs Python 3.12 or newer, and none was found (looked for \
	python3.13, python3.12, python3.14, python3 and pyenv's). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	$(BIN)/python -m apcampaign.common.zipfile_fix
	@mkdir -p .ns/apcampaign && cd .ns/apcampaign && rm -f * && \
	for room in ../../*/__init__.py; do ln -s "$$(dirname $$room)" .; done
	@touch $@

# ---- checks -------------------------------------------------------------------------------------------
lint: dev types ## ruff (style, docstrings, security) and mypy --strict
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: dev
	$(BIN)/mypy

format: dev ## let ruff mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint ## lint, types and all tests, on a real HTCondor pool and a real PostgreSQL
	$(BIN)/pytest

test-fast: dev ## the tests that take no server and no ten seconds
	$(BIN)/pytest -m "not slow and not htcondor and not postgres"

clean: ## remove what make made, except runs/ and demo/
	rm -rf $(VENV) .ns build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
